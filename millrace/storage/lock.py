"""One process at a time: a lock on a file that the kernel frees when its owner ends, however it ends.

A lock file is never trusted by its mere name: one that was removed while somebody waited for it is opened again, so
that no two hold the lock, one on the removed file and one on its successor.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from millrace.errors import DeadlineError

POLL = 0.05  # seconds between two tries


@contextmanager
def locked(
    path: Path,
    *,
    seconds: float,
    doing: str = "fetching this dataset",
    waiting: Callable[[str, float], None] | None = None,
) -> Iterator[None]:
    """Hold the lock file; DeadlineError after `seconds` of waiting, naming the process that holds it.

    doing: what the other one does. `waiting(owner, waited seconds)` is called while waiting.
    """
    begin = time.monotonic()

    def report() -> bool:
        if waiting is not None:
            waiting(holder(path), time.monotonic() - begin)
        return False  # go on waiting

    lock = _lock(path)
    try:
        lock.acquire(seconds, POLL, cancel_check=report)
    except Timeout:
        raise DeadlineError(
            f"another process has been {doing} for too long",
            expected=f"at most {seconds:g} s",
            got=f"{holder(path)} holds {path}",
            do="wait for it, or end it if it hangs",
        ) from None
    try:
        yield
    finally:
        lock.release()


def try_lock(path: Path) -> FileLock | None:
    """The lock file, held by this process until `release`; None where another one holds it."""
    lock = _lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


def _lock(path: Path) -> FileLock:
    """Not of one thread: who takes a run may let it go on another. Only locks that die with their owner."""
    return FileLock(path, thread_local=False, fallback_to_soft=False, on_acquired=_sign)


def _sign(handle: int) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def holding(path: Path) -> int | None:
    """The number of the process that holds the lock file, or held it last; None where the file does not say."""
    try:
        pid = path.read_text(errors="replace").strip()
    except OSError:
        return None
    return int(pid) if pid.isdecimal() else None


def holder(path: Path) -> str:
    """Who holds the lock file, or held it last, in words: "process 4711"."""
    pid = holding(path)
    return "another process" if pid is None else f"process {pid}"
