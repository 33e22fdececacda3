"""Pictures as a sequence that makes each when it is asked for: a million of them need no million objects."""

import errno
import os
import stat
from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

import numpy as np

from millrace.datasets.importers.inventory import Picture
from millrace.datasets.importers.label_values import I64Array

MOST_BYTES = 256 << 20  # of one encoded picture; one more is read, to see that there are more
PIECE = 1 << 28  # bytes that are read at once


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
        # Without Python's own files: thousands are read, and these would take memory for all that is asked for.
        handle = open_plain(self._path)
        try:
            left = min(self._count, os.fstat(handle).st_size - self._offset)
            parts, at = [], self._offset
            while left > 0 and (data := os.pread(handle, min(left, PIECE), at)):
                parts.append(data)
                left, at = left - len(data), at + len(data)
        finally:
            os.close(handle)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def open_plain(path: str) -> int:
    """The descriptor of a file, open to be read. OSError where it is none: a pipe could keep us waiting for ever, a
    device never end."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a file", path)
    return handle
