"""Large files written past the page cache: the disk takes the bytes from memory and the processor copies none.

Through the page cache each byte costs a copy and each page of a new file a fault, together more than the warp that made
the pixels. What is aligned in memory and in the file goes out as it lies; the rest is gathered in a buffer that is.
Where a system or a filesystem has no such way, the same bytes are written through the cache.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ALIGNED = 4096  # bytes: what disks take whole
STAGE = 1 << 18  # bytes that are gathered before they are written
SMALL = 1 << 20  # smaller files go through the cache
_DIRECT = getattr(os, "O_DIRECT", 0)
_NO_WAY = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)

Bytes = npt.NDArray[np.uint8]


def write(path: Path, parts: Iterable[Any]) -> None:
    """Write a new file, part after part, and have it on the disk. Errors: OSError."""
    size = sum(memoryview(part).nbytes for part in parts) if isinstance(parts, Sequence) else 0
    handle = _create(path, direct=size >= SMALL)
    try:
        _reserve(handle, size)
        stage = _stage() if size >= SMALL else None
        for piece in map(_as_bytes, parts) if stage is None else pieces(parts, stage):
            _write_all(handle, piece)
        os.fsync(handle)
    finally:
        os.close(handle)


def pieces(parts: Iterable[Any], stage: Bytes) -> Iterator[Bytes]:
    """The bytes of the parts, in order: pieces that begin at aligned places of memory and file, and are whole
    multiples of ALIGNED but for the last. Each is good until the next one is asked for; stage: where bytes that
    lie otherwise are gathered, aligned, of a size that is a multiple of ALIGNED."""
    filled = 0
    for part in parts:
        left = _as_bytes(part)
        while len(left):
            if not filled % ALIGNED and len(left) >= ALIGNED and not left.ctypes.data % ALIGNED:
                if filled:
                    yield stage[:filled]
                    filled = 0
                whole = len(left) // ALIGNED * ALIGNED
                yield left[:whole]
                left = left[whole:]
                continue
            count = min(len(stage) - filled, len(left))
            stage[filled : filled + count] = left[:count]
            filled, left = filled + count, left[count:]
            if filled == len(stage):
                yield stage
                filled = 0
    if filled:
        yield stage[:filled]


def _stage() -> Bytes:
    return np.frombuffer(mmap.mmap(-1, STAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)


def _as_bytes(part: Any) -> Bytes:
    return np.frombuffer(part, np.uint8)


def _create(path: Path, *, direct: bool) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    if direct and _DIRECT:
        with suppress(OSError):
            return os.open(path, flags | _DIRECT, 0o666)
        with suppress(FileNotFoundError):
            path.unlink()  # some filesystems make the file before they say no
    return os.open(path, flags, 0o666)


def _reserve(handle: int, size: int) -> None:
    """Ask for the room of the whole file at once: a full disk is known at once, and the writing is quicker."""
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno not in _NO_WAY:
                raise


def _write_all(handle: int, piece: Bytes) -> None:
    if len(piece) % ALIGNED:
        _through_the_cache(handle)
    view = memoryview(piece.data)
    while view.nbytes:
        try:
            written = os.write(handle, view)
        except OSError as error:
            if error.errno not in _NO_WAY or not _through_the_cache(handle):
                raise
            continue
        view = view[written:]
        if written % ALIGNED:
            _through_the_cache(handle)


def _through_the_cache(handle: int) -> bool:
    """Go on through the page cache; False where that was so already."""
    flags = fcntl.fcntl(handle, fcntl.F_GETFL)
    if not _DIRECT or not flags & _DIRECT:
        return False
    fcntl.fcntl(handle, fcntl.F_SETFL, flags & ~_DIRECT)
    return True
