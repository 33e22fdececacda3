"""Stochastic gradient descent with momentum."""

from typing import ClassVar

import numpy as np

from millrace.compiled import F32, In, Out, kernel
from millrace.model.layout import Floats
from millrace.model.optimizers.base import Optimizer, State
from millrace.model.optimizers.gradient import averaged
from millrace.model.settling import FLOOR, settled


@kernel
def _step(
    w: Out[F32],
    v: Out[F32],
    left: In[F32],
    right: In[F32],
    paired: bool,
    divisor: F32,
    scale: F32,
    decay: F32,
    rate: F32,
    momentum: F32,
) -> None:
    for i in range(w.shape[0]):
        g = averaged(left[i], right[i], paired, divisor, scale, decay, w[i])
        velocity = settled(momentum * v[i] - rate * g, FLOOR)
        v[i] = velocity
        w[i] += velocity


class Momentum(Optimizer):
    """v ← αv − ηg, θ ← θ + v (Deep Learning, algorithm 8.2).

    PyTorch and optax keep v without the rate (v ← αv + g, θ ← θ − ηv): the same while the rate is constant; when a
    schedule lowers it, there the rate acts on the whole velocity at once, here on new gradients only.
    """

    state_names: ClassVar[tuple[str, ...]] = ("v",)

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
        numbers = np.float32(rate), np.float32(self.options.momentum)
        paired, divisor, scale = average
        _step(weights, state["v"], *sums, paired, divisor, scale, decay, *numbers)
