"""One BLAS thread, enforced and checked: with several, BLAS splits sums and changes bits."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np  # its BLAS must be loaded before it can be limited
from threadpoolctl import threadpool_info, threadpool_limits

from millrace.errors import TrainingError

__all__ = ["blas_threads", "one_blas_thread"]


def blas_threads() -> dict[str, int]:
    """The number of threads of every BLAS library loaded in this process, by file."""
    np.dot(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32))
    return {str(pool["filepath"]): int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"}


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit every BLAS of this process to one thread per call, and make sure that it took.

    The limit is the process's: of threads that hold it at the same time the last to leave lifts it."""
    _hold()
    try:
        many = {file: count for file, count in blas_threads().items() if count != 1}
        if many:
            raise TrainingError(
                "BLAS cannot be held to one thread, so bits would depend on it",
                expected="1 thread",
                got=many,
                do="set OPENBLAS_NUM_THREADS=1 (or MKL_NUM_THREADS=1) and start again",
            )
        yield
    finally:
        _let_go()


_LOCK = threading.Lock()
_limits = ExitStack()  # of all holders
_holders = 0


def _hold() -> None:
    global _holders
    with _LOCK:
        # A library may have been loaded since the others were limited.
        if any(count != 1 for count in blas_threads().values()):
            _limits.enter_context(threadpool_limits(limits=1, user_api="blas"))
        _holders += 1


def _let_go() -> None:
    global _holders
    with _LOCK:
        _holders -= 1
        if not _holders:
            _limits.close()
