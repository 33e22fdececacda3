"""Arrow IPC files, uncompressed: readers map them into memory and copy nothing."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.formats.rows import Rows
from millrace.formats.shards import Fetch, Files, ShardInfo
from millrace.formats.tables import tensor_batch, tensor_rows

PAGE = 4096  # bytes: pixels that begin with a page are mapped as they lie


class _Parts:
    """A file to write to that keeps the buffers it is given, uncopied."""

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.closed = False
        self._size = 0

    def write(self, part: Any) -> int:
        size = memoryview(part).nbytes
        self.parts.append(part)
        self._size += size
        return size

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


def encode(rows: Rows, info: ShardInfo) -> tuple[Sequence[Any], Files]:
    """The shard as the parts of one IPC file of one record batch. The pixels begin at a multiple of PAGE bytes: so
    they are written and hashed as they lie in memory, and lie aligned in a reader's map of the file."""
    pixels = np.ascontiguousarray(rows.images)
    batch = tensor_batch(rows._replace(images=pixels), info)
    parts = _file(batch, 0)
    before = itertools.takewhile(lambda part: getattr(part, "address", 0) != pixels.ctypes.data, parts)
    return _file(batch, -sum(map(len, before)) % PAGE), []


def decode(data: pa.Buffer, info: ShardInfo, fetch: Fetch) -> Rows:
    """The rows of a shard; the images are views of its bytes."""
    return tensor_rows(pa.ipc.open_file(pa.BufferReader(data)).read_all(), info)


def _file(batch: pa.RecordBatch, blanks: int) -> list[Any]:
    metadata = {**batch.schema.metadata, b"padding": b" " * blanks}
    sink = _Parts()
    with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), batch.schema.with_metadata(metadata)) as writer:
        writer.write_batch(batch.replace_schema_metadata(metadata))
    return sink.parts
