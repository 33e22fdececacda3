"""The options of the model floor: frozen, checked when made, and importable without NumPy."""

from dataclasses import dataclass

from millrace.errors import OptionError, UsageError
from millrace.fields import check, option

ACTIVATIONS = ("relu", "leaky-relu", "gelu", "tanh")
NORMS = ("none", "layer")
INITIALIZERS = ("gaussian", "uniform", "glorot", "he")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
SCHEDULES = ("constant", "linear", "step", "exponential", "cosine", "one-cycle", "plateau")
# The numbers that a sum of gradients consists of, when it is rounded for the way between machines.
FLOAT32, BFLOAT16, INT8 = WIRES = ("float32", "bfloat16", "int8")

WIDEST = 1 << 20  # units of one layer
DEEPEST = 256  # layers

# The networks of the lecture's slides, by their hidden layers: 784-999-299-10 has 1,086,215 parameters, 2-4-2 has 22.
NETWORKS: dict[str, tuple[int, ...]] = {"lecture-mnist": (999, 299), "points": (4,)}
NO_PRESET = "none"


def check_size(what: str, value: object, limit: int = WIDEST) -> None:
    """Refuse a count that is not a whole number from 1 to the limit."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
        raise UsageError(f"{what} does not fit", expected=f"a whole number from 1 to {limit}", got=repr(value))


@dataclass(frozen=True)
class NetworkOptions:
    """A multilayer perceptron: hidden layers, activation, first weights."""

    preset: str = option(
        NO_PRESET,
        "a network of the lecture, lecture-mnist (999 and 299 hidden units) or points (4), instead of hidden",
        choices=(NO_PRESET, *NETWORKS),
    )
    hidden: tuple[int, ...] = option(
        (999, 299),
        "units of each hidden layer, from the input to the output; empty for softmax regression",
        metavar="N …",
        least=1,
        most=WIDEST,
    )
    activation: str = option("relu", "relu, leaky-relu, gelu, tanh", choices=ACTIVATIONS)
    initializer: str = option(
        "he",
        "gaussian N(0, 1/m), uniform in ±1/√m, glorot, he; m is the number of a layer's inputs",
        choices=INITIALIZERS,
    )
    norm: str = option(
        "none",
        "none, or layer (layer normalisation) before each activation, with skip before each block",
        choices=NORMS,
    )
    skip: bool = option(
        False,
        "after the first hidden layer, which is linear, each one is a block x + W₂ g(W₁ x) with a skip connection",
    )
    expansion: int = option(
        4,
        "how many times wider a block is inside, between W₁ and W₂ (an inverted bottleneck)",
        least=1,
        most=64,
    )

    def __post_init__(self) -> None:
        check(self)
        if len(self.hidden) > DEEPEST:
            raise OptionError("hidden", "is out of range", expected=f"at most {DEEPEST} layers", got=len(self.hidden))
        if self.preset != NO_PRESET:
            object.__setattr__(self, "hidden", self._hidden_of_preset())
        if self.skip and (not self.hidden or len(set(self.hidden)) > 1):
            raise OptionError(
                "skip",
                "does not fit the hidden layers",
                expected="at least one hidden layer, all of one size",
                got=list(self.hidden),
            )

    def _hidden_of_preset(self) -> tuple[int, ...]:
        hidden = NETWORKS[self.preset]
        if self.hidden not in (hidden, NetworkOptions.hidden):
            raise OptionError(
                "preset",
                f"{self.preset!r} is given beside other hidden layers",
                expected=f"hidden layers {list(hidden)}, or no preset",
                got=list(self.hidden),
            )
        return hidden


@dataclass(frozen=True)
class OptimizerOptions:
    """How the weights follow the gradient. An optimizer reads the options it knows and ignores the rest."""

    name: str = option("adam", "sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw", choices=OPTIMIZERS)
    rate: float = option(1e-3, "the learning rate η, above 0; the schedule starts from it", above=0)
    momentum: float = option(0.9, "α of momentum and nesterov, in [0, 1)", least=0, below=1)
    rho: float = option(0.9, "decay of RMSProp's mean of squares, in [0, 1)", least=0, below=1)
    rho1: float = option(0.9, "decay of Adam's and AdamW's first moment, in [0, 1)", least=0, below=1)
    rho2: float = option(0.999, "decay of Adam's and AdamW's second moment, in [0, 1)", least=0, below=1)
    delta: float | None = option(
        None,
        "the small number that keeps a divisor from 0; by default the optimizer's own (Adam 1e-8, AdaGrad 1e-7, "
        "RMSProp 1e-6)",
        above=0,
    )
    decay: float = option(
        0.0,
        "L2 penalty: decay · w is added to the gradient of each weight, biases are spared; AdamW takes the rate times "
        "decay · w off the weights themselves",
        least=0,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class ScheduleOptions:
    """How the learning rate changes over the run. Lengths are in epochs, so they hold for any batch size."""

    name: str = option(
        "cosine",
        "constant, linear (Deep Learning, 8.3.1), step, exponential, cosine, one-cycle, plateau",
        choices=SCHEDULES,
    )
    warmup: float = option(
        0.0,
        "epochs over which the rate first rises in equal steps from near 0 to the full rate; may be a fraction",
        least=0,
    )
    length: float = option(
        0.0,
        "epochs from the end of the warm-up until the final rate is reached and kept; 0 for the rest of the run",
        least=0,
    )
    final: float = option(
        0.01, "the final rate as a fraction of the full rate, in [0, 1]; above 0 for exponential", least=0, most=1
    )
    factor: float = option(0.1, "what step and plateau multiply the rate by, in (0, 1)", above=0, below=1)
    every: float = option(10.0, "epochs between two cuts of step", above=0)
    patience: int = option(
        5, "epochs without a lower validation loss after which plateau cuts the rate", least=1, most=WIDEST
    )
    rise: float = option(
        0.3,
        "the part of one-cycle's length in which the rate rises, from 1/25 of the full rate, in (0, 1)",
        above=0,
        below=1,
    )

    def __post_init__(self) -> None:
        check(self)
        if self.name == "exponential" and self.final == 0:
            raise OptionError("final", "is out of range", expected="a number above 0, at most 1", got=self.final)


@dataclass(frozen=True)
class RegularizationOptions:
    """What keeps a network from learning its samples by heart. 0 turns each of them off."""

    dropout: float = option(0.0, "probability that a hidden unit is left out for a sample, in [0, 1)", least=0, below=1)
    input_dropout: float = option(0.0, "the same for the inputs, in [0, 1)", least=0, below=1)
    input_noise: float = option(
        0.0, "standard deviation of the normal noise that is added to each normalised input", least=0
    )
    weight_noise: float = option(
        0.0, "standard deviation of the normal noise that is added to each weight, once per step", least=0
    )
    mixup: float = option(
        0.0,
        "probability that a sample is blended with the next one of its slot, and its label too, in [0, 1]",
        least=0,
        most=1,
    )
    label_smoothing: float = option(
        0.0, "part of the target that is spread over all classes, in [0, 1)", least=0, below=1
    )
    clip: float = option(0.0, "largest norm of the averaged gradient; a longer one is shortened to it", least=0)
    max_norm: float = option(0.0, "largest norm of the weights that enter one unit", least=0)
    average: float = option(
        0.0,
        "decay of the running average of the weights that is evaluated in their place, in [0, 1)",
        least=0,
        below=1,
    )
    early_stopping: int = option(
        0,
        "epochs without a lower validation loss after which the run ends with its best weights",
        least=0,
        most=WIDEST,
    )

    def __post_init__(self) -> None:
        check(self)
