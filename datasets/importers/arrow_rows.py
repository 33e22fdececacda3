"""Pictures in one Arrow file, in the form of a file or, as Hugging Face's `datasets` writes its own, of a stream.

The file is mapped into memory, so that a picture is read where it lies, whatever the size of the batches.
"""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import pyarrow as pa

from millrace.datasets.importers.arrow_values import decoded, faults, picture_bytes
from millrace.errors import FormatError

MAGIC = b"ARROW1"
END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream: no further message
BATCHES = 1_000_000
KEPT = 4  # batches of a file
UNPACKED = 256 << 20  # bytes that a compressed stream may become


class ArrowRows:
    """An open Arrow file; not safe in threads. FormatError where it is none."""

    def __init__(self, path: Path, what: str) -> None:
        self.what = what
        self._reader: pa.ipc.RecordBatchFileReader | None = None
        self._kept: dict[int, pa.RecordBatch] = {}
        with faults(what):
            source = pa.memory_map(str(path))
            if source.size() < len(END):
                raise FormatError(f"{what} is no Arrow file", got=f"{source.size()} bytes")
            if source.read(len(MAGIC)) == MAGIC:
                source.seek(0)
                self._reader = reader = pa.ipc.open_file(source)
                self.schema: pa.Schema = reader.schema
                sizes = [reader.get_batch(index).num_rows for index in range(reader.num_record_batches)]
            else:
                batches, self.schema = _stream(source, what)
                self._kept = dict(enumerate(batches))
                sizes = [batch.num_rows for batch in batches]
        self._ends = list(accumulate(sizes))
        self.rows: int = self._ends[-1] if self._ends else 0
        self._sound: set[tuple[int, str]] = set()

    def column(self, name: str, field: str = "") -> pa.ChunkedArray:
        """A whole column, of labels, or a field of one."""
        with faults(self.what):
            kind, found = self.schema.field(name).type, [self._checked(index, name) for index in range(len(self._ends))]
            if field:
                place = kind.get_field_index(field)
                kind, found = kind.field(place).type, [column.flatten()[place] for column in found]
            plain = kind.value_type if pa.types.is_dictionary(kind) else kind
            return pa.chunked_array([decoded(column) for column in found], plain)

    def picture(self, name: str, row: int) -> bytes | None:
        """The encoded picture of a row; None where it has none."""
        with faults(self.what):
            index = bisect_right(self._ends, row)
            first = self._ends[index - 1] if index else 0
            return picture_bytes(self._checked(index, name), row - first)

    def _checked(self, index: int, name: str) -> pa.Array:
        """A column of a batch. Arrow takes the offsets in a file as they are; wrong ones lead outside of it."""
        batch = self._kept.get(index)
        if batch is None and self._reader is not None:
            # A compressed batch lies in memory once it is read.
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[index] = batch = self._reader.get_batch(index)
        if batch is None:
            raise FormatError(f"{self.what} has no batch {index}")
        column = batch.column(name)
        if (index, name) not in self._sound:
            column.validate(full=True)
            self._sound.add((index, name))
        return column


def _stream(source: pa.MemoryMappedFile, what: str) -> tuple[list[pa.RecordBatch], pa.Schema]:
    """The batches of a stream. One that was cut between two messages reads as if it were whole, but for its end."""
    source.seek(source.size() - len(END))
    if source.read(len(END)) != END:
        raise FormatError(f"{what} ends too early, or is no Arrow file", expected="the end of a stream")
    source.seek(0)
    reader = pa.ipc.open_stream(source)
    batches, size = [], 0
    for batch in reader:
        batches.append(batch)
        size += batch.nbytes
        if len(batches) > BATCHES or size > max(source.size(), UNPACKED):
            raise FormatError(
                f"{what} has too many batches, or is compressed",
                expected=f"at most {BATCHES:,} batches, as they lie in the file",
                got=f"{len(batches):,} batches, {size:,} bytes",
                do="write it as an Arrow file, or as Parquet",
            )
    return batches, reader.schema
