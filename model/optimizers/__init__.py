"""The update rules: `optimizer(options, layout)` makes one by name."""

from model.layout import Layout
from model.optimizers.adagrad import AdaGrad
from model.optimizers.adam import Adam
from model.optimizers.adamw import AdamW
from model.optimizers.base import Optimizer, State
from model.optimizers.momentum import Momentum
from model.optimizers.nesterov import Nesterov
from model.optimizers.rmsprop import RMSProp
from model.optimizers.sgd import Sgd
from model.options import OptimizerOptions

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
