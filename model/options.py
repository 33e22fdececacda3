"""The options of the model floor: frozen, checked when made, and importable without NumPy."""

import math
from dataclasses import dataclass

from millrace.errors import UsageError, unknown_name

ACTIVATIONS = ("relu", "leaky-relu", "gelu", "tanh")
NORMS = ("none", "layer")
INITIALIZERS = ("gaussian", "uniform", "glorot", "he")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
SCHEDULES = ("constant", "linear", "step", "exponential", "cosine", "one-cycle", "plateau")

WIDEST = 1 << 20  # units of one layer
DEEPEST = 256  # layers


def _check_number(
    what: str, value: object, low: float, high: float, *, open_low: bool = False, closed_high: bool = False
) -> None:
    """Refuse no number, and what lies outside of [low, high); `open_low` bars low, `closed_high` lets high in."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if closed_high and number and value == high:
        return
    if not number or not low <= float(value) < high or (open_low and value == low):  # type: ignore[arg-type]
        bound = "above" if open_low else "from"
        up_to = (", at most" if open_low else " to") if closed_high else ", below"
        limit = "" if high == math.inf else f"{up_to} {high:g}"
        raise UsageError(f"{what} is out of range", expected=f"a number {bound} {low:g}{limit}", got=value)


def check_size(what: str, value: object, limit: int = WIDEST) -> None:
    """Refuse a count that is not a whole number from 1 to the limit."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
        raise UsageError(f"{what} does not fit", expected=f"a whole number from 1 to {limit}", got=repr(value))


# The networks of the lecture's slides, by their hidden layers: 784-999-299-10 has 1,086,215 parameters, 2-4-2 has 22.
NETWORKS: dict[str, tuple[int, ...]] = {"lecture-mnist": (999, 299), "points": (4,)}
NO_PRESET = "none"


@dataclass(frozen=True)
class NetworkOptions:
    """A multilayer perceptron: hidden layers, activation, first weights.

    preset: a network of the lecture, lecture-mnist (999 and 299 hidden units) or points (4), instead of hidden.
    hidden: units of each hidden layer, from the input to the output; empty for softmax regression.
    activation: relu, leaky-relu, gelu, tanh.
    initializer: gaussian N(0, 1/m), uniform in ±1/√m, glorot, he; m is the number of a layer's inputs.
    norm: none, or layer (layer normalisation) before each activation, with skip before each block.
    skip: after the first hidden layer, which is linear, each one is a block x + W₂ g(W₁ x) with a skip connection.
    expansion: how many times wider a block is inside, between W₁ and W₂ (an inverted bottleneck).
    """

    preset: str = NO_PRESET
    hidden: tuple[int, ...] = (999, 299)
    activation: str = "relu"
    initializer: str = "he"
    norm: str = "none"
    skip: bool = False
    expansion: int = 4

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, tuple) or len(self.hidden) > DEEPEST:
            raise UsageError("hidden layers", expected=f"at most {DEEPEST} sizes", got=repr(self.hidden))
        for number, units in enumerate(self.hidden, start=1):
            check_size(f"the size of hidden layer {number}", units)
        for kind, value, known in (
            ("network preset", self.preset, (NO_PRESET, *NETWORKS)),
            ("activation", self.activation, ACTIVATIONS),
            ("initializer", self.initializer, INITIALIZERS),
            ("norm", self.norm, NORMS),
        ):
            if value not in known:
                raise unknown_name(kind, value, known)
        if self.preset != NO_PRESET:
            self._take_preset(NETWORKS[self.preset])
        check_size("the expansion", self.expansion, 64)
        if self.skip and (not self.hidden or len(set(self.hidden)) > 1):
            raise UsageError(
                "skip connections do not fit the hidden layers",
                expected="at least one hidden layer, all of one size",
                got=list(self.hidden),
            )

    def _take_preset(self, hidden: tuple[int, ...]) -> None:
        if self.hidden not in (hidden, NetworkOptions.hidden):
            raise UsageError(
                f"network preset {self.preset!r} and other hidden layers",
                expected=f"hidden layers {list(hidden)}, or no preset",
                got=list(self.hidden),
            )
        object.__setattr__(self, "hidden", hidden)


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
        zero = self.name == "exponential"
        _check_number("the final fraction of the learning rate", self.final, 0, 1, open_low=zero, closed_high=True)
        _check_number("the factor of the schedule", self.factor, 0, 1, open_low=True)
        _check_number("the epochs between two cuts", self.every, 0, math.inf, open_low=True)
        check_size("the patience of the schedule", self.patience)
        _check_number("the part in which the rate rises", self.rise, 0, 1, open_low=True)


@dataclass(frozen=True)
class RegularizationOptions:
    """What keeps a network from learning its samples by heart. 0 turns each of them off.

    dropout: probability that a hidden unit is left out for a sample, in [0, 1).
    input_dropout: the same for the inputs, in [0, 1).
    input_noise: standard deviation of the normal noise that is added to each normalised input.
    weight_noise: standard deviation of the normal noise that is added to each weight, once per step.
    mixup: probability that a sample is blended with the next one of its slot, and its label too, in [0, 1].
    label_smoothing: part of the target that is spread over all classes, in [0, 1).
    clip: largest norm of the averaged gradient; a longer one is shortened to it.
    max_norm: largest norm of the weights that enter one unit.
    average: decay of the running average of the weights that is evaluated in their place, in [0, 1).
    early_stopping: epochs without a lower validation loss after which the run ends with its best weights.
    """

    dropout: float = 0.0
    input_dropout: float = 0.0
    input_noise: float = 0.0
    weight_noise: float = 0.0
    mixup: float = 0.0
    label_smoothing: float = 0.0
    clip: float = 0.0
    max_norm: float = 0.0
    average: float = 0.0
    early_stopping: int = 0

    def __post_init__(self) -> None:
        _check_number("dropout", self.dropout, 0, 1)
        _check_number("dropout of the inputs", self.input_dropout, 0, 1)
        _check_number("the probability of mixup", self.mixup, 0, 1, closed_high=True)
        _check_number("label smoothing", self.label_smoothing, 0, 1)
        _check_number("the decay of the average", self.average, 0, 1)
        _check_number("the noise of the inputs", self.input_noise, 0, math.inf)
        _check_number("the noise of the weights", self.weight_noise, 0, math.inf)
        _check_number("the largest norm of the gradient", self.clip, 0, math.inf)
        _check_number("the largest norm of a unit's weights", self.max_norm, 0, math.inf)
        if self.early_stopping != 0:
            check_size("the patience of early stopping", self.early_stopping)
