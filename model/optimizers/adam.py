"""Adam: adaptive moments."""

import math
from typing import ClassVar

import numpy as np

from millrace.compiled import F32, In, Out, kernel
from millrace.model.layout import Floats
from millrace.model.optimizers.base import Optimizer, State, power
from millrace.model.optimizers.gradient import averaged
from millrace.model.settling import FLOOR, SQUARE_FLOOR, settled

DELTA = 1e-8


@kernel
def _step(
    w: Out[F32],
    s: Out[F32],
    r: Out[F32],
    left: In[F32],
    right: In[F32],
    paired: bool,
    divisor: F32,
    scale: F32,
    decay: F32,
    keep: F32,
    rho1: F32,
    new1: F32,
    rho2: F32,
    new2: F32,
    rate: F32,
    correct: F32,
    delta: F32,
) -> None:
    for i in range(w.shape[0]):
        g = averaged(left[i], right[i], paired, divisor, scale, decay, w[i])
        first = settled(rho1 * s[i] + new1 * g, FLOOR)
        second = settled(rho2 * r[i] + new2 * (g * g), SQUARE_FLOOR)
        s[i] = first
        r[i] = second
        w[i] = keep * w[i] - rate * first / (np.sqrt(second) * correct + delta)


class Adam(Optimizer):
    """Deep Learning, algorithm 8.7, with t from 1 and δ outside of the root.

    s ← ρ₁s + (1−ρ₁)g, r ← ρ₂r + (1−ρ₂)g², ŝ = s/(1−ρ₁ᵗ), r̂ = r/(1−ρ₂ᵗ), θ ← θ − ηŝ/(√r̂ + δ).

    The corrections are made once a step in float64 and applied as η/(1−ρ₁ᵗ) · s / (√r · 1/√(1−ρ₂ᵗ) + δ), as
    PyTorch does too. PyTorch's and optax's defaults are the same: ρ₁ 0.9, ρ₂ 0.999, δ 1e-8.
    """

    state_names: ClassVar[tuple[str, ...]] = ("s", "r")

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
        self._move(weights, state, sums, average, (decay, np.float32(1.0)), rate, t)

    def _move(
        self,
        weights: Floats,
        state: State,
        sums: tuple[Floats, Floats],
        average: tuple[bool, np.float32, np.float32],
        decays: tuple[np.float32, np.float32],
        rate: float,
        t: int,
    ) -> None:
        """The step with both kinds of decay: what is added to the gradient, and what the weights keep (1 is exact)."""
        paired, divisor, scale = average
        _step(weights, state["s"], state["r"], *sums, paired, divisor, scale, *decays, *self._numbers(rate, t))

    def _numbers(self, rate: float, t: int) -> list[np.float32]:
        """What the kernel is told of a step: decays and their complements, corrected rate, correction, δ."""
        rho1, rho2 = self.options.rho1, self.options.rho2
        delta = DELTA if self.options.delta is None else self.options.delta
        step = rate / (1.0 - power(rho1, t))
        correct = 1.0 / math.sqrt(1.0 - power(rho2, t))
        return [np.float32(x) for x in (rho1, 1.0 - rho1, rho2, 1.0 - rho2, step, correct, delta)]
