"""Pictures in one Parquet file, read as they are asked for.

A row group is read in batches of few rows, of which the last ones are kept: pictures are asked for about in order, by
several threads, and a row group may be larger than memory.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.datasets.importers.arrow_values import decoded, faults, picture_bytes
from millrace.datasets.spec import MAX_BYTES, plausible
from millrace.errors import FormatError

BATCH = 32  # rows that are read at once
KEPT = 128 << 20  # bytes of pictures that are kept
METADATA = 1 << 28  # bytes of the file's own description that are read


class ParquetRows:
    """An open Parquet file; not safe in threads. FormatError where it is none."""

    def __init__(self, path: Path, what: str) -> None:
        self.what = what
        with faults(what):
            self._file = pq.ParquetFile(
                path,
                memory_map=True,
                thrift_string_size_limit=METADATA,
                thrift_container_size_limit=METADATA >> 6,
            )
            self.schema: pa.Schema = self._file.schema_arrow
            metadata = self._file.metadata
            groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
            sizes = [group.num_rows for group in groups]
            self.rows: int = metadata.num_rows
            for group in groups:
                for column in (group.column(index) for index in range(group.num_columns)):
                    _check_sizes(column.total_compressed_size, column.total_uncompressed_size, path, what)
        if min(sizes, default=0) < 0 or sum(sizes) != self.rows:
            raise FormatError(f"{what} is damaged", expected=f"row groups of {self.rows} rows", got=sum(sizes))
        self._ends = list(accumulate(sizes))
        self._forget(-1)

    def _forget(self, group: int) -> None:
        self._group, self._next = group, 0 if group < 1 else self._ends[group - 1]
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._kept: deque[tuple[int, pa.Array]] = deque()  # first row and pictures of each batch
        self._bytes = 0

    def column(self, name: str, field: str = "") -> pa.ChunkedArray:
        """A whole column, of labels, or a field of one."""
        with faults(self.what):
            wanted = f"{name}.{field}" if field else name
            column = self._file.read(columns=[wanted], use_threads=False).column(name)
            return decoded(column.flatten()[0] if field else column)

    def picture(self, name: str, row: int) -> bytes | None:
        """The encoded picture of a row; None where it has none."""
        with faults(self.what):
            group = bisect_right(self._ends, row)
            if group != self._group or (row < self._next and (not self._kept or row < self._kept[0][0])):
                self._open(name, group)
            while row >= self._next:
                self._read(name)
            for first, pictures in reversed(self._kept):
                if first <= row:
                    return picture_bytes(pictures, row - first)
        raise FormatError(f"{self.what} lacks row {row}")

    def _open(self, name: str, group: int) -> None:
        self._forget(group)
        self._batches = self._file.iter_batches(BATCH, row_groups=[group], columns=[name], use_threads=False)

    def _read(self, name: str) -> None:
        batch = next(self._batches, None)
        if batch is None or not batch.num_rows:
            raise FormatError(f"{self.what} is damaged", expected=f"row {self._next}", got="the end of its row group")
        column = batch.column(name)
        self._kept.append((self._next, column))
        self._next += batch.num_rows
        self._bytes += column.nbytes
        while self._bytes > KEPT and len(self._kept) > 1:
            self._bytes -= self._kept.popleft()[1].nbytes


def _check_sizes(compressed: int, uncompressed: int, path: Path, what: str) -> None:
    """Raise a FormatError where a column says more bytes than there can be."""
    size = path.stat().st_size
    if not 0 <= compressed <= size or not 0 <= uncompressed <= max(plausible(compressed), min(compressed, MAX_BYTES)):
        raise FormatError(
            f"{what} is damaged: a column's size",
            expected=f"at most {size} bytes, and no more than they can hold",
            got=f"{compressed} bytes that become {uncompressed}",
        )
