"""The stream as a library: whatever may be streamed, its steps, ranks and state, and how they are read ahead."""

from millrace.loading.datastream import DataStream, stream
from millrace.loading.loader import Loader

__all__ = ["DataStream", "Loader", "stream"]
