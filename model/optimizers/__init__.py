"""The update rules: `optimizer(options, layout)` makes one by name."""

from millrace.model.layout import Layout
from millrace.model.optimizers.adagrad import AdaGrad
from millrace.model.optimizers.adam import Adam
from millrace.model.optimizers.adamw import AdamW
from millrace.model.optimizers.base import Optimizer, State
from millrace.model.optimizers.momentum import Momentum
from millrace.model.optimizers.nesterov import Nesterov
from millrace.model.optimizers.rmsprop import RMSProp
from millrace.model.optimizers.sgd import Sgd
from millrace.model.options import OptimizerOptions

__all__ = ["OPTIMIZERS", "Optimizer", "State", "optimizer"]

# To add one: a file beside these, its class here, its name in `model.options`.
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
