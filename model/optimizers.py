"""The update rules: each its formula, and one kernel that makes a whole step in one pass over memory.

The formulas are those of Goodfellow, Bengio, Courville: Deep Learning, chapter 8, with ε there as η here; where PyTorch
or optax differ, the rule says how. g is the gradient averaged over the samples of the step. Every element is computed
from its own alone, in float32, so a step may be cut over threads or servers without changing a bit.

To add one: a class with its kernel, its line in OPTIMIZERS, its name in `model.options`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from millrace.compiled import F32, In, Out, device, kernel
from millrace.elementary import power
from millrace.model.fast.settling import FLOOR, SQUARE_FLOOR, settled
from millrace.model.layout import Floats, Layout
from millrace.model.options import OptimizerOptions

OptimizerState = dict[str, Floats]  # what a rule remembers between steps, by name: arrays laid out as the weights are


class Gradient(NamedTuple):
    """What `_average` makes g of. left, right: the last two sums of the reduction tree, whose addition happens here to
    save a pass over memory; right counts where `paired`. divisor: the number of samples. scale: what clipping
    shortens by. decay: λ of the L2 penalty, 0 for biases."""

    left: In[F32]
    right: In[F32]
    paired: bool
    divisor: F32
    scale: F32
    decay: F32


@device
def _average(sums: Gradient, i: int, weight: F32) -> F32:
    """g = (left + right) / divisor · scale + λ · weight, rounded in this order."""
    total: F32 = sums.left[i] + sums.right[i] if sums.paired else sums.left[i]
    return total / sums.divisor * sums.scale + sums.decay * weight


@dataclass(frozen=True)
class Step:
    """One update. weights and state are moved in place; left and right are only read, right None: left is the sum.

    Arrays: float32 (parameters,), C-contiguous. left + right: the gradients summed over `divisor` samples.
    rate: the learning rate η of this step. t: its number, from 1. scale: for clipping. at: the index of the first
    element, where the arrays are a part of the flat vector.
    """

    weights: Floats
    state: OptimizerState
    left: Floats
    right: Floats | None
    divisor: float
    rate: float
    t: int
    scale: float = 1.0
    at: int = 0

    def piece(self, begin: int, end: int) -> "Step":
        """The same update of the elements [begin, end) alone."""
        part = slice(begin, end)
        state = {name: array[part] for name, array in self.state.items()}
        right = None if self.right is None else self.right[part]
        numbers = self.divisor, self.rate, self.t, self.scale, self.at + begin
        return Step(self.weights[part], state, self.left[part], right, *numbers)

    def gradient(self, decay: np.float32) -> Gradient:
        """Of all elements, as kernels take it."""
        left, right = self.left[:], (self.left if self.right is None else self.right)[:]
        left.flags.writeable = right.flags.writeable = False
        return Gradient(left, right, self.right is not None, np.float32(self.divisor), np.float32(self.scale), decay)


class Optimizer(ABC):
    """Turns summed gradients into new weights. Holds options and layout; its state lies with the caller."""

    state_names: ClassVar[tuple[str, ...]] = ()
    delta: ClassVar[float] = 0.0  # δ where the options name none

    def __init__(self, options: OptimizerOptions, layout: Layout) -> None:
        self.options, self.layout = options, layout

    def initial_state(self, parameters: int) -> OptimizerState:
        """The state before the first step: float32 arrays of shape (parameters,), zero."""
        return {name: np.zeros(parameters, np.float32) for name in self.state_names}

    def update(self, step: Step, begin: int, end: int) -> None:
        """The elements [begin, end) of a step, in place; the L2 penalty is for weights, and spares biases."""
        begin, end = step.at + begin, step.at + end
        pieces = [(begin, end, False)] if self.options.decay == 0 else self.layout.runs(begin, end)
        for low, high, decays in pieces:
            self._move(step.piece(low - step.at, high - step.at), np.float32(self.options.decay if decays else 0.0))

    def view(self, weights: Floats, state: OptimizerState, out: Floats | None = None) -> Floats:
        """The weights to publish, where gradients are taken: here the weights themselves.

        A rule whose view is another array writes it to `out`, float32 (parameters,), or to a new one.
        """
        return weights

    @abstractmethod
    def _move(self, step: Step, decay: np.float32) -> None:
        """The rule, on all elements of the step."""

    def _numbers(self, *numbers: float) -> list[np.float32]:
        """Numbers of a step as its kernel takes them, and δ behind them."""
        delta = self.delta if self.options.delta is None else self.options.delta
        return [np.float32(number) for number in (*numbers, delta)]


@kernel
def _sgd(w: Out[F32], sums: Gradient, rate: F32) -> None:
    for i in range(w.shape[0]):
        w[i] -= rate * _average(sums, i, w[i])


class Sgd(Optimizer):
    """Stochastic gradient descent: θ ← θ − ηg (algorithm 8.1). PyTorch and optax do the same; they decay biases too."""

    def _move(self, step: Step, decay: np.float32) -> None:
        _sgd(step.weights, step.gradient(decay), np.float32(step.rate))


@kernel
def _momentum(w: Out[F32], v: Out[F32], sums: Gradient, rate: F32, alpha: F32) -> None:
    for i in range(w.shape[0]):
        v[i] = settled(alpha * v[i] - rate * _average(sums, i, w[i]), FLOOR)
        w[i] += v[i]


class Momentum(Optimizer):
    """v ← αv − ηg, θ ← θ + v (equations 8.15 and 8.16, algorithm 8.2).

    PyTorch and optax keep v without the rate (v ← αv + g, θ ← θ − ηv): the same while the rate is constant; when a
    schedule lowers it, there the rate acts on the whole velocity at once, here on new gradients only.
    """

    state_names: ClassVar[tuple[str, ...]] = ("v",)

    def _move(self, step: Step, decay: np.float32) -> None:
        numbers = np.float32(step.rate), np.float32(self.options.momentum)
        _momentum(step.weights, step.state["v"], step.gradient(decay), *numbers)


@kernel
def _ahead(w: In[F32], v: In[F32], alpha: F32, out: Out[F32]) -> None:
    for i in range(w.shape[0]):
        out[i] = w[i] + alpha * v[i]


class Nesterov(Momentum):
    """v ← αv − ηg, θ ← θ + v, with the gradient g taken at θ + αv (equations 8.21 and 8.22, algorithm 8.3).

    θ + αv is the published view; θ itself is what checkpoints keep and what is evaluated. PyTorch (nesterov=True)
    and optax (nesterov=True) keep only the view, φ = θ + αv, and move it in one step: φ ← φ − η(g + αv), v ← αv + g,
    with v free of the rate. While rate and α are constant and nothing decays, their φ is the view here.
    """

    def view(self, weights: Floats, state: OptimizerState, out: Floats | None = None) -> Floats:
        """θ + αv, into `out` where given."""
        out = np.empty_like(weights) if out is None else out
        _ahead(weights, state["v"], np.float32(self.options.momentum), out)
        return out


@kernel
def _adagrad(w: Out[F32], r: Out[F32], sums: Gradient, rate: F32, delta: F32) -> None:
    for i in range(w.shape[0]):
        g = _average(sums, i, w[i])
        r[i] += g * g
        w[i] -= rate * g / (delta + np.sqrt(r[i]))


class AdaGrad(Optimizer):
    """A rate for each weight, which falls with the squares of its gradients so far.

    r ← r + g², θ ← θ − ηg / (δ + √r), with δ = 1e-7 (algorithm 8.4). PyTorch's form is the same with δ = 1e-10. optax
    starts from r = 0.1 and takes δ under the root, η g / √(r + δ), so its first steps are smaller.
    """

    state_names: ClassVar[tuple[str, ...]] = ("r",)
    delta: ClassVar[float] = 1e-7

    def _move(self, step: Step, decay: np.float32) -> None:
        _adagrad(step.weights, step.state["r"], step.gradient(decay), *self._numbers(step.rate))


@kernel
def _rmsprop(w: Out[F32], r: Out[F32], sums: Gradient, rho: F32, new: F32, rate: F32, delta: F32) -> None:
    for i in range(w.shape[0]):
        g = _average(sums, i, w[i])
        r[i] = settled(rho * r[i] + new * (g * g), SQUARE_FLOOR)
        w[i] -= rate * g / np.sqrt(delta + r[i])


class RMSProp(Optimizer):
    """A rate for each weight, from a running mean of the squares of its gradients.

    r ← ρr + (1−ρ)g², θ ← θ − ηg / √(δ + r), with δ = 1e-6 under the root (algorithm 8.5). optax has δ under the root as
    well, 1e-8 by default, and ρ = 0.9 as here. PyTorch has it outside, η g / (√r + δ), with δ = 1e-8 and ρ = 0.99 by
    default: there r starts slower, so first steps are larger.
    """

    state_names: ClassVar[tuple[str, ...]] = ("r",)
    delta: ClassVar[float] = 1e-6

    def _move(self, step: Step, decay: np.float32) -> None:
        rho = self.options.rho
        _rmsprop(step.weights, step.state["r"], step.gradient(decay), *self._numbers(rho, 1.0 - rho, step.rate))


@kernel
def _adam(
    w: Out[F32],
    s: Out[F32],
    r: Out[F32],
    sums: Gradient,
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
        g = _average(sums, i, w[i])
        s[i] = settled(rho1 * s[i] + new1 * g, FLOOR)
        r[i] = settled(rho2 * r[i] + new2 * (g * g), SQUARE_FLOOR)
        w[i] = keep * w[i] - rate * s[i] / (np.sqrt(r[i]) * correct + delta)


class Adam(Optimizer):
    """Adaptive moments, with t from 1 and δ = 1e-8 outside of the root (algorithm 8.7).

    s ← ρ₁s + (1−ρ₁)g, r ← ρ₂r + (1−ρ₂)g², ŝ = s/(1−ρ₁ᵗ), r̂ = r/(1−ρ₂ᵗ), θ ← θ − ηŝ/(√r̂ + δ).

    The corrections are made once a step in float64 and applied as η/(1−ρ₁ᵗ) · s / (√r · 1/√(1−ρ₂ᵗ) + δ), as
    PyTorch does too. PyTorch's and optax's defaults are the same: ρ₁ 0.9, ρ₂ 0.999, δ 1e-8.
    """

    state_names: ClassVar[tuple[str, ...]] = ("s", "r")
    delta: ClassVar[float] = 1e-8

    def _move(self, step: Step, decay: np.float32, keep: float = 1.0) -> None:
        rho1, rho2 = self.options.rho1, self.options.rho2
        rate = step.rate / (1.0 - power(rho1, step.t))
        correct = 1.0 / math.sqrt(1.0 - power(rho2, step.t))
        numbers = self._numbers(keep, rho1, 1.0 - rho1, rho2, 1.0 - rho2, rate, correct)
        _adam(step.weights, step.state["s"], step.state["r"], step.gradient(decay), *numbers)


class AdamW(Adam):
    """Adam with a weight decay beside the gradient: θ ← (1 − ηλ)θ − ηŝ/(√r̂ + δ).

    Loshchilov and Hutter 2019, algorithm 2, with λ the weight decay: it does not pass through the moments, and spares
    biases. η is the scheduled rate, so the decay follows the schedule, as in PyTorch and optax; the paper multiplies
    both terms by the schedule alone. PyTorch's default λ is 0.01, optax's 1e-4, here it is 0; both decay biases too.
    """

    def _move(self, step: Step, decay: np.float32, keep: float = 1.0) -> None:
        super()._move(step, np.float32(0.0), keep - step.rate * float(decay))


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": Sgd,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}


def optimizer(options: OptimizerOptions, layout: Layout) -> Optimizer:
    """The optimizer that the options name, for weights of this layout."""
    return OPTIMIZERS[options.name](options, layout)
