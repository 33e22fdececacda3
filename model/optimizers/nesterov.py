"""Stochastic gradient descent with Nesterov's momentum."""

import numpy as np

from millrace.compiled import F32, In, Out, kernel
from millrace.model.layout import Floats
from millrace.model.optimizers.base import State
from millrace.model.optimizers.momentum import Momentum


@kernel
def _ahead(w: In[F32], v: In[F32], momentum: F32, out: Out[F32]) -> None:
    for i in range(w.shape[0]):
        out[i] = w[i] + momentum * v[i]


class Nesterov(Momentum):
    """v ← αv − ηg, θ ← θ + v, with the gradient g taken at θ + αv (Deep Learning, algorithm 8.3).

    θ + αv is the published view; θ itself is what checkpoints keep and what is evaluated. PyTorch (nesterov=True)
    and optax (nesterov=True) keep only the view, φ = θ + αv, and move it in one step: φ ← φ − η(g + αv), v ← αv + g,
    with v free of the rate. While rate and α are constant and nothing decays, their φ is the view here.
    """

    def view(self, weights: Floats, state: State, out: Floats | None = None) -> Floats:
        """θ + αv, into `out` where given."""
        out = np.empty_like(weights) if out is None else out
        _ahead(weights, state["v"], np.float32(self.options.momentum), out)
        return out
