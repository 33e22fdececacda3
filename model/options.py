"""The options of the model floor: frozen, checked when made, and importable without NumPy."""

import math
from dataclasses import dataclass

from errors import UsageError, unknown_name

ACTIVATIONS = ("relu",)
INITIALIZERS = ("gaussian", "uniform", "glorot", "he")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
SCHEDULES = ("constant", "linear", "step", "exponential", "cosine", "one-cycle", "plateau")

WIDEST = 1 << 20  # units of one layer
DEEPEST = 256  # layers


def _check_number(what: str, value: object, low: float, high: float, *, open_low: bool = False) -> None:
    """Refuse what is no number, and what lies outside of [low, high), or (low, high) where `open_low`."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= float(value) < high or (open_low and value == low):  # type: ignore[arg-type]
        bound = "above" if open_low else "from"
        limit = "" if high == math.inf else f", below {high:g}"
        raise UsageError(f"{what} is out of range", expected=f"a number {bound} {low:g}{limit}", got=value)


def check_size(what: str, value: object, limit: int = WIDEST) -> None:
    """Refuse a count that is not a whole number from 1 to the limit."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
        raise UsageError(f"{what} does not fit", expected=f"a whole number from 1 to {limit}", got=repr(value))


@dataclass(frozen=True)
class NetworkOptions:
    """A multilayer perceptron: hidden layers, activation, first weights.

    hidden: units of each hidden layer, from the input to the output; empty for softmax regression.
    activation: relu.
    initializer: gaussian N(0, 1/m), uniform in ±1/√m, glorot, he; m is the number of a layer's inputs.
    """

    hidden: tuple[int, ...] = (999, 299)
    activation: str = "relu"
    initializer: str = "he"

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, tuple) or len(self.hidden) > DEEPEST:
            raise UsageError("hidden layers", expected=f"at most {DEEPEST} sizes", got=repr(self.hidden))
        for number, units in enumerate(self.hidden, start=1):
            check_size(f"the size of hidden layer {number}", units)
        if self.activation not in ACTIVATIONS:
            raise unknown_name("activation", self.activation, ACTIVATIONS)
        if self.initializer not in INITIALIZERS:
            raise unknown_name("initializer", self.initializer, INITIALIZERS)


@dataclass(frozen=True)
class OptimizerOptions:
    """How the weights follow the gradient. An optimizer reads the options it knows and ignores the rest.

    name: sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw.
    rate: the learning rate η, above 0; the schedule starts from it.
    momentum: α of momentum and nesterov, in [0, 1).
    rho: decay of RMSProp's mean of squares, in [0, 1).
    rho1, rho2: decay of Adam's and AdamW's first and second moment, in [0, 1).
    delta: the small number that keeps a divisor from 0; by default the optimizer's own (Adam 1e-8, AdaGrad 1e-7,
        RMSProp 1e-6).
    decay: L2 penalty: decay · w is added to the gradient of each weight, biases are spared; AdamW takes the rate times
        decay · w off the weights themselves.
    """

    name: str = "adam"
    rate: float = 1e-3
    momentum: float = 0.9
    rho: float = 0.9
    rho1: float = 0.9
    rho2: float = 0.999
    delta: float | None = None
    decay: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZERS:
            raise unknown_name("optimizer", self.name, OPTIMIZERS)
        _check_number("the learning rate", self.rate, 0, math.inf, open_low=True)
        _check_number("the momentum", self.momentum, 0, 1)
        _check_number("rho", self.rho, 0, 1)
        _check_number("rho1", self.rho1, 0, 1)
        _check_number("rho2", self.rho2, 0, 1)
        if self.delta is not None:
            _check_number("delta", self.delta, 0, math.inf, open_low=True)
        _check_number("the weight decay", self.decay, 0, math.inf)


@dataclass(frozen=True)
class ScheduleOptions:
    """How the learning rate changes over the run. Lengths are in epochs, so they hold for any batch size.

    name: constant, linear (Deep Learning, 8.3.1), step, exponential, cosine, one-cycle, plateau.
    warmup: epochs over which the rate first rises in equal steps from near 0 to the full rate; may be a fraction.
    length: epochs from the end of the warm-up until the final rate is reached and kept; 0 for the rest of the run.
    final: the final rate as a fraction of the full rate, in [0, 1]; above 0 for exponential.
    factor: what step and plateau multiply the rate by, in (0, 1).
    every: epochs between two cuts of step.
    patience: epochs without a lower validation loss after which plateau cuts the rate.
    rise: the part of one-cycle's length in which the rate rises, from 1/25 of the full rate, in (0, 1).
    """

    name: str = "cosine"
    warmup: float = 0.0
    length: float = 0.0
    final: float = 0.01
    factor: float = 0.1
    every: float = 10.0
    patience: int = 5
    rise: float = 0.3

    def __post_init__(self) -> None:
        if self.name not in SCHEDULES:
            raise unknown_name("schedule", self.name, SCHEDULES)
        _check_number("the warm-up", self.warmup, 0, math.inf)
        _check_number("the length of the schedule", self.length, 0, math.inf)
        if self.final != 1:
            zero = self.name == "exponential"
            _check_number("the final fraction of the learning rate", self.final, 0, 1, open_low=zero)
        _check_number("the factor of the schedule", self.factor, 0, 1, open_low=True)
        _check_number("the epochs between two cuts", self.every, 0, math.inf, open_low=True)
        check_size("the patience of the schedule", self.patience)
        _check_number("the part in which the rate rises", self.rise, 0, 1, open_low=True)
