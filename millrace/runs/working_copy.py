"""Where the working copy of a run at an address lies on this machine, and who may change it."""

import fcntl
import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from millrace.errors import CheckpointError, DeadlineError
from millrace.storage.lock import locked
from millrace.storage.mounts import is_shared
from millrace.user_cache import user_cache

WAIT = 300.0  # seconds that another process of this machine may take to bring a copy up to date


def is_address(location: Path | str) -> bool:
    """Whether this is an address of a filesystem rather than a path."""
    return isinstance(location, str) and "://" in location


def working_copy(location: str) -> Path:
    """The folder of an address's working copy, made where it is not there. Machines that share a home do not share it:
    file locks may not reach from one to the other."""
    cache = user_cache()
    key = f"{location} {socket.gethostname()}" if is_shared(cache) else location
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", location.partition("?")[0].rpartition("/")[2])[:40].strip(".-")
    path = cache / "runs" / f"{stem or 'run'}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"the working copy of the run at {location} cannot be made: {path}",
            got=error.strerror or repr(error),
            do="choose another folder with MILLRACE_CACHE=/path/with/room",
        ) from error
    return path


@contextmanager
def undisturbed(copy: Path) -> Iterator[None]:
    """One process at a time brings the copy up to date."""
    try:
        with locked(copy.with_name(f"{copy.name}.lock"), seconds=WAIT):
            yield
    except DeadlineError as error:
        raise DeadlineError(
            f"another process has been reading the run into {copy} for too long",
            expected=f"at most {WAIT:g} s",
            got=error.got,
            do="wait for it, or end it if it hangs",
        ) from error


def try_lock(path: Path) -> IO[str] | None:
    """The file, locked for this process until it is closed; None where another process has it."""
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle
