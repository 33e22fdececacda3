"""The stream as a library: whatever may be streamed, its steps, ranks and state, and how they are read ahead."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.loading.datastream import DataStream as DataStream
    from millrace.loading.loader import Loader as Loader
    from millrace.loading.opening import stream as stream
    from millrace.loading.shares import (
        BatchSource as BatchSource,
        PassShares as PassShares,
        Shares as Shares,
        Statistics as Statistics,
    )
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
