"""Metrics as JSON lines: appended while the run goes on, cut back where it goes on from a checkpoint."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from millrace.errors import CheckpointError

_encode = json.JSONEncoder(allow_nan=False).encode


class Lines:
    """A file of JSON objects, one a line, each with a `key` that grows; `keep` are the lines below a value of it."""

    def __init__(self, path: Path, key: str, keep: int) -> None:
        self._path = path
        self._waiting = bytearray()
        try:
            _cut(path, key, keep)
            self._file: IO[bytes] = path.open("ab", buffering=0)
        except OSError as error:
            raise self._failed(error) from error

    def write(self, line: Mapping[str, object]) -> None:
        """Append one line; it reaches the disk with `flush`."""
        self._waiting += _encode(line).encode() + b"\n"

    def flush(self) -> None:
        """Hand the lines to the system, so that a `kill -9` of this process loses none of them."""
        try:
            while self._waiting:
                del self._waiting[: self._file.write(self._waiting)]
        except OSError as error:
            raise self._failed(error) from error

    def abandon(self) -> None:
        """Close, and write nothing more: the file belongs to somebody else."""
        self._file.close()

    def close(self) -> None:
        """Flush to the disk and close."""
        self.flush()
        try:
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> CheckpointError:
        return CheckpointError(
            f"metrics cannot be written to {self._path}",
            got=error.strerror or repr(error),
            do="free space on the disk, then `millrace resume` the run",
        )


def _cut(path: Path, key: str, keep: int) -> None:
    """Drop the lines whose key is `keep` or more, and what follows a torn line."""
    if not path.exists():
        return
    size = 0
    with path.open("rb") as file:
        for line in file:
            try:
                good = line.endswith(b"\n") and json.loads(line)[key] < keep
            except (ValueError, KeyError, TypeError):
                good = False
            if not good:
                break
            size += len(line)
    os.truncate(path, size)
