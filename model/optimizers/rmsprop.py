"""RMSProp: a rate for each weight, from a running mean of the squares of its gradients."""

from typing import ClassVar

import numpy as np

from millrace.compiled import F32, In, Out, kernel
from millrace.model.layout import Floats
from millrace.model.optimizers.base import Optimizer, State
from millrace.model.optimizers.gradient import averaged
from millrace.model.settling import SQUARE_FLOOR, settled

DELTA = 1e-6


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
    rho: F32,
    new: F32,
    rate: F32,
    delta: F32,
) -> None:
    for i in range(w.shape[0]):
        g = averaged(left[i], right[i], paired, divisor, scale, decay, w[i])
        squares = settled(rho * r[i] + new * (g * g), SQUARE_FLOOR)
        r[i] = squares
        w[i] -= rate * g / np.sqrt(delta + squares)


class RMSProp(Optimizer):
    """r ← ρr + (1−ρ)g², θ ← θ − ηg / √(δ + r), with δ = 1e-6 under the root (Deep Learning, algorithm 8.5).

    optax has δ under the root as well, 1e-8 by default, and ρ = 0.9 as here. PyTorch has it outside,
    η g / (√r + δ), with δ = 1e-8 and ρ = 0.99 by default: there r starts slower, so first steps are larger.
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
        rho = self.options.rho
        delta = DELTA if self.options.delta is None else self.options.delta
        numbers = [np.float32(x) for x in (rho, 1.0 - rho, rate, delta)]
        paired, divisor, scale = average
        _step(weights, state["r"], *sums, paired, divisor, scale, decay, *numbers)
