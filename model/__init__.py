"""The perceptron: network, optimizers, schedules, checkpoints. Knows no data source and no cluster.

Names load when they are first used, so that importing the package costs nothing.
"""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.model.checkpoint import Checkpoint as Checkpoint, from_files as from_files, to_files as to_files
    from millrace.model.checkpoint_folder import load as load, save as save
    from millrace.model.environment import differences as differences, fingerprint as fingerprint
    from millrace.model.inputs import Inputs as Inputs
    from millrace.model.layout import ParameterBlock as ParameterBlock, Layer as Layer, Layout as Layout
    from millrace.model.fast.network import (
        RowKeys as RowKeys,
        Network as Network,
        SlotResult as SlotResult,
        Workspace as Workspace,
    )
    from millrace.model.optimizers import Optimizer as Optimizer, optimizer as optimizer
    from millrace.model.options import (
        NetworkOptions as NetworkOptions,
        OptimizerOptions as OptimizerOptions,
        RegularizationOptions as RegularizationOptions,
        ScheduleOptions as ScheduleOptions,
    )
    from millrace.model.schedules import schedule as schedule
    from millrace.model.updates import Updates as Updates, served as served
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
