"""Stochastic gradient descent with momentum."""

from typing import Any, ClassVar

import numpy as np

from millrace.compiled import BOOL, F32, array, kernel, readonly
from millrace.model.layout import Floats
from millrace.model.optimizers.base import Optimizer, State
from millrace.model.optimizers.gradient import averaged
from millrace.model.settling import FLOOR, settled


@kernel(array(F32), array(F32), readonly(F32), readonly(F32), BOOL, F32, F32, F32, F32, F32)
def _step(
    w: Any,
    v: Any,
    left: Any,
    right: Any,
    paired: Any,
    divisor: Any,
    scale: Any,
    decay: Any,
    rate: Any,
    momentum: Any,
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
        _step(weights, state["v"], *sums, *average, decay, *numbers)
