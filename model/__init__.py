"""The perceptron: network, optimizers, schedules, checkpoints. Knows no data source and no cluster.

Names load when they are first used, so that importing the package costs nothing.
"""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.model.checkpoint import (
        CHECKPOINT_DOCUMENT as CHECKPOINT_DOCUMENT,
        CHECKPOINT_FILES as CHECKPOINT_FILES,
        Checkpoint as Checkpoint,
        from_files as from_files,
    )
    from millrace.model.checkpoint_folder import load as load, save as save, save_files as save_files
    from millrace.model.confusion import Confusion as Confusion
    from millrace.model.environment import differences as differences, fingerprint as fingerprint
    from millrace.model.fast.losses import softmax_cross_entropy as softmax_cross_entropy
    from millrace.model.fast.mixup import UNMIXED as UNMIXED
    from millrace.model.fast.network import (
        Network as Network,
        RowKeys as RowKeys,
        Workspace as Workspace,
    )
    from millrace.model.fast.rounding import Rounding as Rounding
    from millrace.model.inputs import Inputs as Inputs
    from millrace.model.layout import Floats as Floats, Layout as Layout
    from millrace.model.norms import (
        CHUNK as CHUNK,
        UnitSquares as UnitSquares,
        chunk_squares as chunk_squares,
        gradient_norm as gradient_norm,
        norm_of as norm_of,
    )
    from millrace.model.onnx_graph import largest_difference as largest_difference, to_onnx as to_onnx
    from millrace.model.optimizers import Optimizer as Optimizer, Step as Step, optimizer as optimizer
    from millrace.model.options import (
        FLOAT32 as FLOAT32,
        WIRES as WIRES,
        NetworkOptions as NetworkOptions,
        OptimizerOptions as OptimizerOptions,
        RegularizationOptions as RegularizationOptions,
        ScheduleOptions as ScheduleOptions,
    )
    from millrace.model.patience import Patience as Patience
    from millrace.model.portable import (
        PRECISIONS as PRECISIONS,
        Portable as Portable,
        from_safetensors as from_safetensors,
        rounded as rounded,
        to_npz as to_npz,
        to_safetensors as to_safetensors,
    )
    from millrace.model.schedules import Schedule as Schedule, plateau_factor as plateau_factor, schedule as schedule
    from millrace.model.updates import Spread as Spread, Updates as Updates, served as served
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
