"""Stochastic gradient descent."""

import numpy as np

from millrace.compiled import F32, In, Out, kernel
from millrace.model.layout import Floats
from millrace.model.optimizers.base import Optimizer, State
from millrace.model.optimizers.gradient import averaged


@kernel
def _step(
    w: Out[F32], left: In[F32], right: In[F32], paired: bool, divisor: F32, scale: F32, decay: F32, rate: F32
) -> None:
    for i in range(w.shape[0]):
        w[i] -= rate * averaged(left[i], right[i], paired, divisor, scale, decay, w[i])


class Sgd(Optimizer):
    """θ ← θ − ηg (Deep Learning, algorithm 8.1). PyTorch and optax do the same; they decay biases too."""

    def _piece(
        self,
        weights: Floats,
        state: State,
        sums: tuple[Floats, Floats],
        average: tuple[bool, np.float32, np.float32],
        decay: np.float32,
        rate: float,
        t: int,
    ) -> None:
        paired, divisor, scale = average
        _step(weights, *sums, paired, divisor, scale, decay, np.float32(rate))
