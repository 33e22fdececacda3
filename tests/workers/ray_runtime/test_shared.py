"""Shared memory: who may open it, and that none is held for good."""

import os
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from millrace.workers.clock import Clock
from millrace.workers.ray_runtime.shared import Arena
from millrace.workers.ray_runtime.worker import WorkerActor
from millrace.workers.setup import Setup
from tests.workers.runs import JOB, digits

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system has no /proc")


def inode(arena: Arena) -> int:
    """The number of its memory, which no other has."""
    return os.fstat(arena.handle.descriptor).st_ino


def held() -> set[int]:
    """The numbers of all files that this process has open."""
    found = set[int]()
    for one in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.add(os.fstat(int(one)).st_ino)
    return found


def test_retired_memory_stays_with_who_has_it_and_is_opened_by_nobody() -> None:
    own = Arena.create("node", 2, 3)
    assert own is not None
    own.array[:] = [[1, 2, 3], [4, 5, 6]]
    opened = Arena.open(own.handle, "node")
    assert opened is not None
    number = inode(own)
    assert number in held()
    own.retire()
    assert Arena.open(own.handle, "node") is None
    own.array[1, 2] = 7
    assert np.array_equal(opened.array, [[1, 2, 3], [4, 5, 7]])
    del own, opened
    assert number not in held()


def test_a_worker_that_joins_again_and_again_holds_one_memory() -> None:
    worker: Any = object.__new__(WorkerActor)
    worker._setup, worker._clock, worker._node, worker._arena = Setup(JOB, digits()), Clock(), "node", None
    found = []
    for _ in range(3):
        worker._fresh_arena()
        found.append(inode(worker._arena))
        assert held() & set(found) == {found[-1]}
    worker._arena.retire()
