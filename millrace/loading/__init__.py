"""The stream as a library: whatever may be streamed, its steps, ranks and state, and how they are read ahead."""

from millrace.loading.datastream import DataStream
from millrace.loading.loader import Loader
from millrace.loading.opening import stream

__all__ = ["DataStream", "Loader", "stream"]
