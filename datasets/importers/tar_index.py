"""Where the members of a tar file lie. It is passed over header by header, and nothing is extracted."""

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from millrace.datasets.importers.lazy_pictures import open_plain
from millrace.errors import DataError, FormatError
from millrace.formats import tar

MOST = 5_000_000  # members
LONGEST = 1 << 16  # bytes of a name or of a member's own records
# What stands before a member and says more of it: GNU's long name and long link, POSIX's records of one and of all.
_LONG_NAME, _LONG_LINK, _OF_MEMBER, _OF_ALL = b"L", b"K", b"x", b"g"


class Member(NamedTuple):
    """A plain file in a tar: its name, where its bytes begin, and how many there are."""

    name: str
    offset: int
    size: int


class TarSource:
    """A tar file on a disk, read and passed over: a `tar.Readable` that knows its place."""

    def __init__(self, path: Path, what: str) -> None:
        self.what, self.place = what, 0
        self._file = os.fdopen(open_plain(str(path)), "rb")
        self._size = os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def read(self, count: int) -> bytes:
        """The next bytes."""
        self.skip(count)
        data = os.pread(self._file.fileno(), count, self.place - count)
        if len(data) != count:
            raise FormatError(f"{self.what} ends too early", expected=f"{count} bytes more", got=f"{len(data)} bytes")
        return data

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        if count > self._size - self.place:
            left = self._size - self.place
            raise FormatError(f"{self.what} ends too early", expected=f"{count} bytes more", got=f"{left} bytes")
        self.place += count


def members(path: Path, what: str) -> Iterator[tuple[Member, Callable[[], Any]]]:
    """Each plain file in order, and a function that reads it, to be called before the next one is asked for.

    Links, folders and devices are passed over. FormatError where the file is no tar, damaged, cut off, or holds a file
    whose bytes are not all stored in it; DataError where it cannot be read."""
    try:
        with TarSource(path, what) as source:
            name: str | None = None
            for header, read in tar.members(source, MOST):
                place = source.place
                if header.type in (_LONG_NAME, _LONG_LINK, _OF_MEMBER, _OF_ALL):
                    name = _said(header, read, what) or name
                    continue
                if header.type == tarfile.GNUTYPE_SPARSE:
                    raise FormatError(f"{what} holds a sparse file", expected="plain files", got=ascii(header.name))
                if header.type in tar.REGULAR:
                    yield Member((name or header.name).removeprefix("./"), place, header.size), read
                name = None
    except OSError as error:
        raise DataError(f"{what} cannot be read", got=error.strerror or error) from error


def _said(header: tar.Header, read: Callable[[], Any], what: str) -> str | None:
    """The name that a record gives to the next member, if it does."""
    if header.size > LONGEST:
        raise FormatError(f"{what} has a record that is too large", expected=LONGEST, got=header.size)
    data = bytes(read())
    if header.type == _LONG_NAME:
        return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return _records(data, what).get("path") if header.type == _OF_MEMBER else None


def _records(data: bytes, what: str) -> dict[str, str]:
    """The records of POSIX.1-2001: each `LENGTH KEY=VALUE` and a line's end, LENGTH being that of the whole."""
    found: dict[str, str] = {}
    while data:
        front, _, _ = data.partition(b" ")
        length = int(front) if front.isdigit() and len(front) < 9 else 0
        key, given, value = data[len(front) + 1 : length - 1].partition(b"=")
        if not len(front) + 3 <= length <= len(data) or not given or data[length - 1 : length] != b"\n":
            raise FormatError(f"{what} has a damaged record of a member", got=ascii(data[:32]))
        if key.startswith(b"GNU.sparse.") or key == b"size":
            raise FormatError(f"{what} holds a sparse file, or one too large", expected="plain files", got=ascii(key))
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return found
