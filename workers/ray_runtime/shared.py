"""Arrays that processes of one machine share without copies: anonymous memory, found through its owner's /proc entry.

The memory has no name, so a `kill -9` of anybody leaves no file behind: the system frees it with the last process
that has it mapped. Where this is not to be had (another machine, another system), arrays go through the object store.
"""

import mmap
import os
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F32Array = npt.NDArray[np.float32]


class Handle(NamedTuple):
    """Where an arena lies: node id, process, file descriptor, rows and columns of its float32 array."""

    node: str
    pid: int
    descriptor: int
    rows: int
    columns: int


class Arena:
    """float32 (rows, columns) in shared memory. Its owner writes; whoever opened it by its handle reads."""

    def __init__(self, array: F32Array, handle: Handle, memory: mmap.mmap) -> None:
        self.array, self.handle, self._memory = array, handle, memory

    @classmethod
    def create(cls, node: str, rows: int, columns: int) -> "Arena | None":
        """A new arena of zeros; None where the system has no anonymous shared memory."""
        if not hasattr(os, "memfd_create") or not os.path.isdir("/proc/self/fd"):
            return None
        try:
            descriptor = os.memfd_create("millrace", os.MFD_CLOEXEC)
        except OSError:
            return None
        try:
            size = max(rows * columns * 4, 1)
            os.ftruncate(descriptor, size)
            memory = mmap.mmap(descriptor, size)
        except OSError:
            os.close(descriptor)
            return None
        array = np.frombuffer(memory, np.float32, rows * columns).reshape(rows, columns)
        return cls(array, Handle(node, os.getpid(), descriptor, rows, columns), memory)

    def retire(self) -> None:
        """By its owner: nobody opens it any more, and it goes with the last who has it mapped. Its descriptor alone
        would keep it until the process ends."""
        os.close(self.handle.descriptor)

    @classmethod
    def open(cls, handle: Handle, node: str) -> "Arena | None":
        """The arena of another process on this node, read-only; None where it lies elsewhere or is gone."""
        if handle.node != node:
            return None
        size = handle.rows * handle.columns * 4
        try:
            descriptor = os.open(f"/proc/{handle.pid}/fd/{handle.descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            # A process that took over the number of a dead one could hold anything under this descriptor.
            if os.fstat(descriptor).st_size != size or "millrace" not in os.readlink(f"/proc/self/fd/{descriptor}"):
                return None
            memory = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        array = np.frombuffer(memory, np.float32, handle.rows * handle.columns).reshape(handle.rows, handle.columns)
        return cls(array, handle, memory)
