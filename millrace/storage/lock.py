"""One process at a time in a dataset's folder: a file lock that dies with its owner."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from millrace.errors import DeadlineError

_SHORTEST, _LONGEST = 0.02, 0.5


@contextmanager
def locked(path: Path, *, seconds: float, waiting: Callable[[str, float], None] | None = None) -> Iterator[None]:
    """Hold the lock file; DeadlineError after `seconds` of waiting, naming the process that holds it.

    The kernel frees the lock when its owner ends, however it ends, so a lock file left behind
    blocks nobody. `waiting(owner, waited seconds)` is called while waiting.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(handle, path, seconds, waiting)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            # Explicitly: a child process forked meanwhile shares the lock and would keep it alive.
            fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, seconds: float, waiting: Callable[[str, float], None] | None) -> None:
    begin = time.monotonic()
    pause = _SHORTEST
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - begin
        owner = _owner(handle)
        if waited >= seconds:
            raise DeadlineError(
                "another process has been fetching this dataset for too long",
                expected=f"at most {seconds:g} s",
                got=f"{owner} holds {path}",
                do="wait for it, or end it if it hangs",
            )
        if waiting is not None:
            waiting(owner, waited)
        time.sleep(min(pause, seconds - waited))
        pause = min(2 * pause, _LONGEST)


def _owner(handle: int) -> str:
    pid = os.pread(handle, 20, 0).decode("ascii", "replace")
    return f"process {pid}" if pid.isdigit() else "another process"
