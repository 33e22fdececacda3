"""Rows of Parquet and Arrow files as pictures, each read when it is asked for."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from millrace.datasets.importers.arrow_rows import ArrowRows
from millrace.datasets.importers.inventory import Picture
from millrace.datasets.importers.label_values import I64Array
from millrace.datasets.importers.lazy_pictures import MOST_BYTES, FileSlice, LazyPictures, open_plain
from millrace.datasets.importers.parquet_rows import ParquetRows
from millrace.errors import FormatError

MAGIC = b"PAR1"
OPEN = 2  # files that are open at once
DIGITS = 12  # of a row's number in its name


@dataclass(frozen=True)
class TableShard:
    """One file: its POSIX path in the dataset's folder, the labels of its rows as they stand there, and where its
    pictures lie, if they do not lie in it (empty for a row without)."""

    name: str
    labels: I64Array | list[str | None]
    linked: Sequence[str] | None


def opened(path: Path, what: str) -> ParquetRows | ArrowRows:
    """The file, opened; its first bytes say what it is."""
    with os.fdopen(open_plain(str(path)), "rb") as file:
        start = file.read(len(MAGIC))
    return ParquetRows(path, what) if start == MAGIC or path.suffix == ".parquet" else ArrowRows(path, what)


class OpenShards:
    """Files in a folder, few of them open at once; safe in threads."""

    def __init__(self, root: Path, image: str) -> None:
        self._root, self._image = root, image
        self._files: OrderedDict[str, ParquetRows | ArrowRows] = OrderedDict()
        self._lock = threading.Lock()

    def picture(self, name: str, row: int) -> bytes:
        """The encoded picture in a row of a file. FormatError where there is none."""
        with self._lock:
            file = self._files.get(name)
            if file is None:
                while len(self._files) >= OPEN:
                    self._files.popitem(last=False)
                file = self._files[name] = opened(self._root / name, name)
            self._files.move_to_end(name)
            found = file.picture(self._image, row)
        if found is None:
            raise FormatError(f"row {row} of {name} holds no picture", expected="its bytes", got="nothing")
        return found


class PictureRows(LazyPictures):
    """The labelled rows of some files as pictures, named FILE/ROW."""

    def __init__(self, root: Path, image: str, shards: Sequence[TableShard], labels: I64Array) -> None:
        super().__init__(labels)
        self._open, self._shards = OpenShards(root, image), shards
        self._starts = np.cumsum([0, *(len(shard.labels) for shard in shards)])

    def at(self, row: int, label: int) -> Picture:
        place = int(np.searchsorted(self._starts, row, side="right")) - 1
        shard, within = self._shards[place], row - int(self._starts[place])
        name = f"{shard.name}/{within:0{DIGITS}d}"
        if shard.linked is not None and (path := shard.linked[within]):
            return Picture(name, label, FileSlice(path, 0, MOST_BYTES + 1), path)
        return Picture(name, label, RowOf(self._open, shard.name, within))


class RowOf:
    """Reads one row's picture when it is called."""

    __slots__ = ("_name", "_row", "_shards")

    def __init__(self, shards: OpenShards, name: str, row: int) -> None:
        self._shards, self._name, self._row = shards, name, row

    def __call__(self) -> bytes:
        return self._shards.picture(self._name, self._row)
