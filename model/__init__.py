"""The perceptron: network, optimizers, schedules, checkpoints. Knows no data source and no cluster.

Names load when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint, from_files, to_files
    from model.checkpoint_folder import load, save, sweep
    from model.environment import differences, fingerprint
    from model.inputs import Inputs
    from model.layout import Block, Layer, Layout
    from model.network import Draws, Network, SlotResult, Workspace
    from model.optimizers import Optimizer, optimizer
    from model.options import NetworkOptions, OptimizerOptions, RegularizationOptions, ScheduleOptions
    from model.schedules import schedule
    from model.updates import Updates, served

_HOMES = {
    "Checkpoint": "model.checkpoint",
    "from_files": "model.checkpoint",
    "to_files": "model.checkpoint",
    "load": "model.checkpoint_folder",
    "save": "model.checkpoint_folder",
    "sweep": "model.checkpoint_folder",
    "differences": "model.environment",
    "fingerprint": "model.environment",
    "Inputs": "model.inputs",
    "Block": "model.layout",
    "Layer": "model.layout",
    "Layout": "model.layout",
    "Draws": "model.network",
    "Network": "model.network",
    "SlotResult": "model.network",
    "Workspace": "model.network",
    "Optimizer": "model.optimizers",
    "optimizer": "model.optimizers",
    "NetworkOptions": "model.options",
    "OptimizerOptions": "model.options",
    "RegularizationOptions": "model.options",
    "ScheduleOptions": "model.options",
    "schedule": "model.schedules",
    "Updates": "model.updates",
    "served": "model.updates",
}

__all__ = [
    "Block",
    "Checkpoint",
    "Draws",
    "Inputs",
    "Layer",
    "Layout",
    "Network",
    "NetworkOptions",
    "Optimizer",
    "OptimizerOptions",
    "RegularizationOptions",
    "ScheduleOptions",
    "SlotResult",
    "Updates",
    "Workspace",
    "differences",
    "fingerprint",
    "from_files",
    "load",
    "optimizer",
    "save",
    "schedule",
    "served",
    "sweep",
    "to_files",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'model' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
