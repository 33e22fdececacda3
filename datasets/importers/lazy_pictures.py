"""Pictures as a sequence that makes each when it is asked for: a million of them need no million objects."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

import numpy as np

from millrace.datasets.importers.inventory import Picture
from millrace.datasets.importers.label_values import I64Array


class LazyPictures(Sequence[Picture]):
    """The labelled rows of a split. labels: int64 (n,), below 0 where a row has none and is left out."""

    def __init__(self, labels: I64Array) -> None:
        self._labels = labels
        self._kept = np.flatnonzero(labels >= 0)

    @abstractmethod
    def at(self, row: int, label: int) -> Picture:
        """The picture of a row of the split, those without a label counted in."""

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | list[Picture]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        row = int(self._kept[index])
        return self.at(row, int(self._labels[row]))


class FileSlice:
    """Reads `count` bytes of a file from `offset` on, or as many as there are, when it is called."""

    __slots__ = ("_count", "_offset", "_path")

    def __init__(self, path: str, offset: int, count: int) -> None:
        self._path, self._offset, self._count = path, offset, count

    def __call__(self) -> bytes:
        with open(self._path, "rb") as file:
            # Python would take memory for all that was asked for, however little is there.
            left = os.fstat(file.fileno()).st_size - self._offset
            file.seek(self._offset)
            return file.read(max(min(self._count, left), 0))
