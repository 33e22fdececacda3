"""AdaGrad: a rate for each weight, which falls with the squares of its gradients so far."""

from typing import ClassVar

import numpy as np

from millrace.compiled import F32, In, Out, kernel
from millrace.model.layout import Floats
from millrace.model.optimizers.base import Optimizer, State
from millrace.model.optimizers.gradient import averaged

DELTA = 1e-7


@kernel
def _step(
    w: Out[F32],
    r: Out[F32],
    left: In[F32],
    right: In[F32],
    paired: bool,
    divisor: F32,
    scale: F32,
    decay: F32,
    rate: F32,
    delta: F32,
) -> None:
    for i in range(w.shape[0]):
        g = averaged(left[i], right[i], paired, divisor, scale, decay, w[i])
        squares = r[i] + g * g
        r[i] = squares
        w[i] -= rate * g / (delta + np.sqrt(squares))


class AdaGrad(Optimizer):
    """r ← r + g², θ ← θ − ηg / (δ + √r), with δ = 1e-7 (Deep Learning, algorithm 8.4).

    PyTorch's form is the same with δ = 1e-10. optax starts from r = 0.1 and takes δ under the root,
    η g / √(r + δ), so its first steps are smaller.
    """

    state_names: ClassVar[tuple[str, ...]] = ("r",)

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
        delta = DELTA if self.options.delta is None else self.options.delta
        paired, divisor, scale = average
        _step(weights, state["r"], *sums, paired, divisor, scale, decay, np.float32(rate), np.float32(delta))
