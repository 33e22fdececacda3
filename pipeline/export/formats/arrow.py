"""Arrow IPC files, uncompressed: readers map them into memory and copy nothing."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from datasets.exported import Rows
from pipeline.export.formats import Files
from pipeline.export.formats.columns import tensor_batch
from pipeline.export.plan import Plan, Shard


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


def encode(rows: Rows, plan: Plan, shard: Shard) -> tuple[Sequence[Any], Files]:
    """The shard as the parts of one IPC file of one record batch."""
    batch = tensor_batch(rows, plan, shard)
    sink = _Parts()
    with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), batch.schema) as writer:
        writer.write_batch(batch)
    return sink.parts, []
