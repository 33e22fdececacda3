"""Where the working copy of a run at an address lies on this machine, and who may change it."""

import hashlib
import re
import socket
from contextlib import AbstractContextManager
from pathlib import Path

from millrace.errors import CheckpointError
from millrace.storage import faults, is_shared, locked
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
    with copy_faults(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def copy_faults(copy: Path) -> AbstractContextManager[None]:
    """Errors of the disk that a working copy lies on."""
    do = "free space on the disk, or choose another with MILLRACE_CACHE=/path/with/room"
    return faults(f"the working copy of the run, {copy},", "cannot be written", CheckpointError, do=do, full=do)


def undisturbed(copy: Path) -> AbstractContextManager[None]:
    """One process at a time brings the copy up to date."""
    return locked(copy.with_name(f"{copy.name}.lock"), seconds=WAIT, doing=f"reading the run into {copy}")
