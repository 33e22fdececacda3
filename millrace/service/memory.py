"""What the process of a server sets for itself: few arenas, many descriptors. For a server's own process alone."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

ARENAS = 4
_M_ARENA_MAX = -8  # of mallopt in glibc's malloc.h


def resident() -> int:
    """The bytes that this process has in memory; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def settle() -> None:
    """Have few arenas, and as many descriptors as the system allows.

    gRPC starts a thread for each call that waits, glibc gives each an arena of its own, up to eight for each core, and
    what is freed in one stays there: with few of them, what a burst of clients took serves the next burst."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
