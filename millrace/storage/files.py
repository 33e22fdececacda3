"""Files written aside, flushed, then renamed; and what to say when the disk does not play along."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from millrace.errors import DataError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTSUP}
_CHOOSE = "choose another folder, such as MILLRACE_CACHE=/path/with/room"


@contextmanager
def written_aside(path: Path) -> Iterator[IO[bytes]]:
    """A file open for writing that takes its name only once all its bytes are on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def rename(source: Path, target: Path) -> None:
    """Rename over what is there, and flush the folder, so that the name survives a power cut."""
    os.replace(source, target)
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written. Only for the holder of the folder's lock."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk or a read-only folder into a DataError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DataError(
                "the disk of the cache folder is full", got=f"{folder}: {error.strerror}", do=_CHOOSE
            ) from error
        if error.errno in _REFUSED and not _elsewhere(error, folder):
            raise DataError(
                "the cache folder cannot be written", got=f"{folder}: {error.strerror}", do=_CHOOSE
            ) from error
        raise


def _elsewhere(error: OSError, folder: Path) -> bool:
    """Whether the error names a path that is neither in the folder nor above it."""
    if not isinstance(error.filename, str | os.PathLike):
        return False
    path = Path(error.filename)
    return not (path.is_relative_to(folder) or folder.is_relative_to(path))
