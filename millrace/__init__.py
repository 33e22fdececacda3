"""Millrace: augmented image batches for training. Same seed, same bits.

The rooms that the repository shows at its top (`pipeline`, `model`, `workers`, `datasets`) lie there, here are links;
in a wheel they are folders like the others. The names below are the library; each is imported when it is first used.
"""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.errors import MillraceError as MillraceError, UsageError as UsageError
    from millrace.library.exporting import export as export
    from millrace.library.networks import network as network
    from millrace.library.run import open_run as open_run
    from millrace.library.training import resume as resume, train as train
    from millrace.loading.opening import stream as stream
    from millrace.pipeline.policy import Policy as Policy
    from millrace.service.client.connecting import connect as connect
    from millrace.version import __version__ as __version__
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
