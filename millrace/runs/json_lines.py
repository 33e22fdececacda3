"""Files of JSON objects, one a line: appended while a run goes on, cut back where it goes on from a checkpoint, read
whether their end is torn or not."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from millrace.errors import CheckpointError
from millrace.storage import faults, flush_folder, whole_file

PIECE = 1 << 20  # bytes that are copied at a time

_encode = json.JSONEncoder(allow_nan=False).encode


class JsonLines:
    """A file that grows by objects with a `key` that grows; `keep`: the lines below that value of it stay."""

    def __init__(self, path: Path, key: str, keep: int) -> None:
        self._path = path
        self._waiting = bytearray()
        with _faults(path):
            _cut(path, key, keep)
            self._file: IO[bytes] = path.open("ab", buffering=0)

    def write(self, line: Mapping[str, object]) -> None:
        """Append one line; the system has it with `flush`."""
        self._waiting += _encode(line).encode() + b"\n"

    def flush(self) -> None:
        """Hand the lines to the system, so that a `kill -9` of this process loses none of them."""
        with _faults(self._path):
            while self._waiting:
                del self._waiting[: self._file.write(self._waiting)]

    def abandon(self) -> None:
        """Close, and write nothing more: the file belongs to another process."""
        self._file.close()

    def close(self) -> None:
        """Flush to the disk and close."""
        self.flush()
        with _faults(self._path):
            os.fsync(self._file.fileno())
            self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file, in order; none where there is no file. A line that is not whole, as a kill or a power cut
    leaves it at the end, is left out."""
    return list(each_line(path))


def each_line(path: Path) -> Iterator[dict[str, Any]]:
    """The same, one after the other: those of a long run take more memory than its network."""
    with _faults(path, "cannot be read"):
        yield from (line for _, line in _lines(path) if line is not None)


def append_line(path: Path, line: Mapping[str, object]) -> None:
    """Add one line, which is on the disk when this returns. What a kill has left of another one at the end is closed
    off first, so that it takes no whole line with it."""
    with _faults(path), path.open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        torn = file.read(1) not in (b"", b"\n")
        file.write((b"\n" if torn else b"") + _encode(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        if not end:
            flush_folder(path.parent)


def _faults(path: Path, what: str = "cannot be written") -> AbstractContextManager[None]:
    do = "free space on the disk, then go on with `millrace.resume`"
    return faults(path, what, CheckpointError, do=do, full=do)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Size in bytes and object of each line; None for the object where the line is not whole."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                found = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                found = None
            yield len(line), found if isinstance(found, dict) else None


def _cut(path: Path, key: str, keep: int) -> None:
    """Drop the lines whose key is `keep` or more, and what follows a line that is not whole. What stays is a file of
    its own: a driver that was followed, and sleeps, may have the one of before open to write to."""
    size = 0
    for length, line in _lines(path):
        if line is None or not isinstance(line.get(key), int) or line[key] >= keep:
            break
        size += length
    if path.exists():
        with path.open("rb") as old, whole_file(path) as file:
            while size and (part := old.read(min(size, PIECE))):
                file.write(part)
                size -= len(part)
