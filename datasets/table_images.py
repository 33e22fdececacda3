"""The images of a table, written where they will lie: larger than memory, and without a copy.

A table's file is an Arrow IPC file with one record batch, and its images are one buffer at a place that is known before
any of them is: the file's head has the same length for any number of rows. So rows are written into the mapped file, in
any order; the operating system keeps as much of it in memory as it likes, and none of it is the process's own. What
stands around the images is written last.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from millrace.datasets.arrays import Arrays, U8Array
from millrace.datasets.spec import DatasetSpec
from millrace.datasets.table import in_memory
from millrace.errors import IntegrityError
from millrace.storage import temporary

PIECE = 64 << 20  # bytes that are moved at once
# Arrow's writer refuses more than 2³¹ pixels otherwise, for readers in languages that count so far alone.
OPTIONS = pa.ipc.IpcWriteOptions(allow_64bit=True)


class TableImages:
    """Room for `rows` images of a shape in a new file beside the table's, to be written to through `images`. sparse:
    take no blocks of the disk before something is written."""

    def __init__(
        self,
        folder: Path,
        split: str,
        spec: DatasetSpec,
        shape: tuple[int, int, int],
        rows: int,
        *,
        sparse: bool = False,
    ) -> None:
        self.path = temporary(folder / f"{split}.arrow")
        self._start = _start(spec, shape)
        size = self._start + rows * shape[0] * shape[1] * shape[2]
        if rows == 0:
            self.images: U8Array = np.zeros((0, *shape), np.uint8)
            return
        try:
            with open(self.path, "xb") as file:
                # Blocks are taken now, where the system can: a disk that is full is found out before the work, and by
                # an error, where writing to a mapped file would end the process.
                if sparse or not hasattr(os, "posix_fallocate"):
                    file.truncate(size)
                else:
                    os.posix_fallocate(file.fileno(), 0, size)
        except BaseException:  # also Ctrl-C, while a large file takes its blocks
            self.path.unlink(missing_ok=True)
            raise
        self.images = np.memmap(self.path, np.uint8, "r+", self._start, (rows, *shape))

    def keep(self, kept: "np.ndarray[Any, np.dtype[np.bool_]]") -> None:
        """Leave out the rows that are not `kept`; the others move together, in their order."""
        if kept.all():
            return
        rows, at = np.flatnonzero(kept), 0
        most = max(1, PIECE // max(1, self.images[0].nbytes))
        for first in range(0, len(rows), most):
            part = rows[first : first + most]
            self.images[at : at + len(part)] = self.images[part]
            at += len(part)
        self.images = self.images[:at]

    def finish(self, table: pa.Table) -> "_Around":
        """Write what stands around the images, and flush all of it; `table` is made of `images`. Returns the file, so
        far as it can be asked for its size."""
        base = self.images
        while isinstance(base.base, np.ndarray):
            base = base.base
        base.flush()  # type: ignore[attr-defined]
        with open(self.path, "r+b") as file:
            around = _Around(file, self._start)
            with pa.ipc.new_file(around, table.schema, options=OPTIONS) as writer:
                writer.write_table(table)
            file.truncate(around.tell())
            file.flush()
            os.fsync(file.fileno())
        return around


@dataclass(frozen=True)
class FilledArrays(Arrays):
    """Arrays whose images lie in the files of tables already. content: a digest of what they were made of, if one is
    known."""

    files: tuple[TableImages, TableImages]
    content: str = ""


class _Around:
    """A file in which the images stand already: the first buffer that is written is passed over."""

    closed = False  # pyarrow asks; whoever opened the file closes it

    def __init__(self, file: IO[bytes] | None, start: int) -> None:
        self._file, self._start, self.at, self.first = file, start, 0, -1

    def tell(self) -> int:
        return self.at

    def flush(self) -> None:
        """Everything is flushed at once, in the end."""

    def write(self, data: Any) -> int:
        size: int = data.size if isinstance(data, pa.Buffer) else len(data)
        if isinstance(data, pa.Buffer) and self.first < 0:
            self.first = self.at
            if self._file is not None and self.first != self._start:
                raise IntegrityError("the images of a table lie elsewhere", expected=self._start, got=self.first)
        elif self._file is not None:
            self._file.seek(self.at)
            self._file.write(data)
        self.at += size
        return size


def _start(spec: DatasetSpec, shape: tuple[int, int, int]) -> int:
    """Where in a table's file the images begin: as in the file of one row."""
    one, label = np.zeros((1, *shape), np.uint8), np.zeros(1, np.uint8)
    table = in_memory(Arrays(one, label, one, label), spec).train
    around = _Around(None, 0)
    with pa.ipc.new_file(around, table.schema, options=OPTIONS) as writer:
        writer.write_table(table)
    return around.first
