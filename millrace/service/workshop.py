"""Threads that make batches ahead for all calls in turn: as many as cores, whatever the number of clients.

A call waits in a thread of gRPC's for what it hands out next; the work itself is done here, outside the interpreter's
lock, so the calls of several clients run beside each other although Python-side streams are written one at a time.
"""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from millrace.errors import DeadlineError
from millrace.pipeline import ReadAhead

Made = TypeVar("Made")
Key = tuple[int, int]  # steps [begin, end)
DEADLINE = 60.0  # seconds in which a batch that a thread has begun must be there


class Workshop:
    """The threads, and the calls that they work for. threads: at least 1."""

    def __init__(self, threads: int) -> None:
        self._readers: list[ReadAhead[Any]] = []
        self._changed, self._turn, self._closed = threading.Condition(), 0, False
        self._making = threading.BoundedSemaphore(threads)  # also those that a call's own thread makes
        self._threads = [
            threading.Thread(target=self._work, name=f"maker-{index}", daemon=True) for index in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def open(
        self, make: Callable[[int, int], Made], groups: Iterator[Key], *, item_bytes: int, bound: int
    ) -> ReadAhead[Made]:
        """What makes these groups of steps ahead, at most `bound` bytes of them. To be given back by `leave`."""
        reader = ReadAhead(
            partial(self.make, make),
            groups,
            item_bytes=item_bytes,
            bound=bound,
            deadline=DEADLINE,
        )
        with self._changed:
            self._readers.append(reader)
            self._turn += 1
            self._changed.notify_all()
        return reader

    def make(self, make: Callable[[int, int], Made], begin: int, end: int) -> Made:
        """A group of steps, made here and now by the calling thread, once fewer make one than there are threads.
        Errors: DeadlineError where that takes too long; what `make` raises."""
        if not self._making.acquire(timeout=DEADLINE):
            raise DeadlineError("no thread was free to make a batch", expected=f"within {DEADLINE:g} s")
        try:
            return make(begin, end)
        finally:
            self._making.release()

    def wake(self) -> None:
        """Say that there is room for one more batch: one was taken."""
        with self._changed:
            self._turn += 1
            self._changed.notify()

    def leave(self, reader: ReadAhead[Any]) -> None:
        """Make nothing more for a call; what is made and not taken is dropped."""
        with self._changed:
            if reader in self._readers:
                self._readers.remove(reader)
        reader.stop()

    def close(self) -> None:
        """End the threads. Errors: DeadlineError."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(DEADLINE)
        if any(thread.is_alive() for thread in self._threads):
            raise DeadlineError("a thread that makes batches did not end", expected=f"within {DEADLINE:g} s")

    def _work(self) -> None:
        first = 0
        while not self._closed:
            with self._changed:
                turn, readers = self._turn, self._readers.copy()
            first += 1  # whoever was served last comes last
            order = range(first, first + len(readers))
            if any(readers[index % len(readers)].help() for index in order):
                continue
            with self._changed:
                if turn == self._turn and not self._closed:
                    self._changed.wait(1.0)
