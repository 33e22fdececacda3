"""AdamW: Adam with a weight decay of its own, beside the gradient."""

from typing import Any

import numpy as np

from compiled import BOOL, F32, array, kernel, readonly
from model.layout import Floats
from model.optimizers.adam import FLOOR, SQUARE_FLOOR, Adam
from model.optimizers.base import State
from model.optimizers.gradient import averaged, settled


@kernel(
    array(F32),
    array(F32),
    array(F32),
    readonly(F32),
    readonly(F32),
    BOOL,
    F32,
    F32,
    F32,
    F32,
    F32,
    F32,
    F32,
    F32,
    F32,
    F32,
)
def _step(
    w: Any,
    s: Any,
    r: Any,
    left: Any,
    right: Any,
    paired: Any,
    divisor: Any,
    scale: Any,
    keep: Any,
    rho1: Any,
    new1: Any,
    rho2: Any,
    new2: Any,
    rate: Any,
    correct: Any,
    delta: Any,
) -> None:
    none = np.float32(0.0)
    for i in range(w.shape[0]):
        g = averaged(left[i], right[i], paired, divisor, scale, none, none)
        first = settled(rho1 * s[i] + new1 * g, FLOOR)
        second = settled(rho2 * r[i] + new2 * (g * g), SQUARE_FLOOR)
        s[i] = first
        r[i] = second
        w[i] = keep * w[i] - rate * first / (np.sqrt(second) * correct + delta)


class AdamW(Adam):
    """θ ← (1 − ηλ)θ − ηŝ/(√r̂ + δ): Loshchilov and Hutter 2019, algorithm 2, with λ the weight decay.

    Adam as in Deep Learning, algorithm 8.7; the decay does not pass through the moments, and spares biases. η is the
    scheduled rate, so the decay follows the schedule, as in PyTorch and optax; the paper multiplies both terms
    by the schedule alone. PyTorch's default λ is 0.01, optax's 1e-4, here it is 0; both decay biases too.
    """

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
        keep = np.float32(1.0 - rate * float(decay))
        _step(weights, state["s"], state["r"], *sums, *average, keep, *self._numbers(rate, t))
