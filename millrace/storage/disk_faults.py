"""Errors of disks and filesystems in words that say which place it was and what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from millrace.errors import DataError, MillraceError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTSUP}


@contextmanager
def faults(
    place: object,
    what: str,
    kind: type[MillraceError] = DataError,
    *,
    do: str | None = None,
    full: str = "free space on the disk",
    within: Path | None = None,
    absent: bool = False,
) -> Iterator[None]:
    """Raise an OSError, or an error of pyarrow's filesystems, as a `kind`: "{place} {what}", or that its disk is full.

    do: the advice; full: the advice for a full disk. within: for a block that does more than writing: only a full disk,
    and a refusal of a path in this folder or above it, are taken; every other error passes as it is. absent: so does
    FileNotFoundError.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        number = error.errno if isinstance(error, OSError) else None
        is_full = number in FULL
        if absent and isinstance(error, FileNotFoundError):
            raise
        if within is not None and not is_full and (number not in REFUSED or _is_elsewhere(error, within)):
            raise
        text = (error.strerror if isinstance(error, OSError) else None) or str(error) or repr(error)
        raise kind(
            f"the disk of {place} is full" if is_full else f"{place} {what}",
            got=text.splitlines()[0],
            do=full if is_full else do,
        ) from error


def _is_elsewhere(error: OSError | pa.ArrowException, folder: Path) -> bool:
    """Whether the error names a path that is neither in the folder nor above it."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str | Path):
        return False
    return not (Path(name).is_relative_to(folder) or folder.is_relative_to(name))
