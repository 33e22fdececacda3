"""The perceptron: network, optimizers, schedules, checkpoints. Knows no data source and no cluster.

Names load when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millrace.model.checkpoint import Checkpoint, from_files, to_files
    from millrace.model.checkpoint_folder import load, save, sweep
    from millrace.model.environment import differences, fingerprint
    from millrace.model.inputs import Inputs
    from millrace.model.layout import Block, Layer, Layout
    from millrace.model.network import Draws, Network, SlotResult, Workspace
    from millrace.model.optimizers import Optimizer, optimizer
    from millrace.model.options import NetworkOptions, OptimizerOptions, RegularizationOptions, ScheduleOptions
    from millrace.model.schedules import schedule
    from millrace.model.updates import Updates, served

_HOMES = {
    "Checkpoint": "millrace.model.checkpoint",
    "from_files": "millrace.model.checkpoint",
    "to_files": "millrace.model.checkpoint",
    "load": "millrace.model.checkpoint_folder",
    "save": "millrace.model.checkpoint_folder",
    "sweep": "millrace.model.checkpoint_folder",
    "differences": "millrace.model.environment",
    "fingerprint": "millrace.model.environment",
    "Inputs": "millrace.model.inputs",
    "Block": "millrace.model.layout",
    "Layer": "millrace.model.layout",
    "Layout": "millrace.model.layout",
    "Draws": "millrace.model.network",
    "Network": "millrace.model.network",
    "SlotResult": "millrace.model.network",
    "Workspace": "millrace.model.network",
    "Optimizer": "millrace.model.optimizers",
    "optimizer": "millrace.model.optimizers",
    "NetworkOptions": "millrace.model.options",
    "OptimizerOptions": "millrace.model.options",
    "RegularizationOptions": "millrace.model.options",
    "ScheduleOptions": "millrace.model.options",
    "schedule": "millrace.model.schedules",
    "Updates": "millrace.model.updates",
    "served": "millrace.model.updates",
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
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
