"""Iterating over a stream: passes, reading ahead on threads, and where the iteration stands.

A pass is one `for` loop. It begins exactly where `at` or `load_state_dict` put the stream; any other is whole, even
after one that was left early. What has been handed out, not what has been made, is where a loader stands, so a state
that is taken in the loop's body goes on with the next batch.
"""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from millrace.cores import cores
from millrace.errors import UsageError
from millrace.loading.shares import PassShares, Shares
from millrace.pipeline import ReadAhead
from millrace.values import whole

Batch = TypeVar("Batch")
PER_THREAD = 4  # batches that are made ahead for each thread, where the bound in bytes allows it


def reading_ahead(threads: int | None, read_ahead: float) -> dict[str, int]:
    """What a stream is told of reading ahead: threads (None: one for each core that this process may use, at most 8)
    and bytes, from MiB. UsageError where they are out of range."""
    if not isinstance(read_ahead, (int, float)) or not 0 <= read_ahead < 2**40:
        raise UsageError("read_ahead is out of range", expected="MiB of at least 0", got=repr(read_ahead))
    if threads is None:
        threads = min(cores(), 8)
    return {"threads": whole("threads", threads, 0, 1024), "read_ahead": int(read_ahead * (1 << 20))}


class Steps(Protocol):
    """What a loader needs to know of its stream."""

    step: int
    placed: bool  # whether nothing has been handed out since the step was set
    threads: int
    read_ahead: int

    def __len__(self) -> int: ...
    def state(self) -> dict[str, Any]: ...
    def step_of(self, state: Any) -> int: ...
    def reading(self, steps: range) -> PassShares: ...
    def check_open(self) -> None: ...


class Loader(Generic[Batch]):
    """Batches of a stream, read ahead; made by the stream's `numpy`, `arrow` and `torch`.

    len: the steps of a pass: of one epoch, or of all where `epochs` is given. With `epochs` a pass runs to the end of
    that many epochs, counted from step 0; without it each pass is one epoch, and the next pass the next epoch.
    A batch stays valid for ever: its memory is its own. May be closed, also by `with`; then it cannot be used.
    """

    def __init__(
        self, stream: Steps, make: Callable[[int, Shares], Any], *, epochs: int | None, batch_bytes: int
    ) -> None:
        self._stream, self._make, self._epochs, self._bytes = stream, make, epochs, batch_bytes
        self._step, self._placed, self._closed = stream.step, stream.placed, False
        self._loads = 0  # a pass that began before the last load_state_dict is not gone on with
        self._passes: weakref.WeakSet[Pass[Any]] = weakref.WeakSet()

    def __len__(self) -> int:
        return len(self._stream) * (self._epochs or 1)

    def __iter__(self) -> "Pass[Batch]":
        self._check_open()
        if not self._placed:
            # A pass that was left early is not gone on with, or the next one would count too few samples.
            self._step = self._following(self._step - 1)
        steps = range(self._step, self._end(self._step))
        if not steps:  # placed at the end of all epochs: that was its pass, and the next is whole
            self._placed = False
        return Pass(self, steps)

    def state_dict(self) -> dict[str, Any]:
        """Where the iteration stands, as plain values: the step after the batch handed out last."""
        return {**self._stream.state(), "step": self._step}

    def load_state_dict(self, state: Any) -> None:
        """Go on where the state was taken: the next pass begins there, and one that runs gives no further batch (its
        `next` is a UsageError). UsageError for a state of another stream."""
        self._step, self._placed, self._loads = self._stream.step_of(state), True, self._loads + 1
        self._stream.step, self._stream.placed = self._step, True

    def close(self) -> None:
        """End all threads and passes."""
        self._closed = True
        for running in list(self._passes):
            running.close()

    def __enter__(self) -> "Loader[Batch]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check_state(self) -> None:
        """Raise a UsageError where it is not known how much has been handed out."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_passes": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _passes=weakref.WeakSet())

    def _check_open(self) -> None:
        self._stream.check_open()
        if self._closed:
            raise UsageError("the loader is closed", do="make a new one from the stream")

    def _following(self, step: int) -> int:
        """Where the pass begins that comes after one in which this step was."""
        return 0 if self._epochs else (step // len(self._stream) + 1) * len(self._stream)

    def _end(self, first: int) -> int:
        """The step after the last of a pass."""
        steps = len(self._stream)
        return self._epochs * steps if self._epochs else (first // steps + 1) * steps

    def _finish(self, batch: Any) -> Batch:
        """What the consumer gets of what was made: done in its own thread."""
        return batch  # type: ignore[no-any-return]

    def _handed_out(self, step: int) -> None:
        self._step, self._placed = step + 1, False
        self._stream.step, self._stream.placed = self._step, False

    def _reader(self, steps: range, threads: int, rows: PassShares) -> ReadAhead[Any] | None:
        """What reads these steps ahead; None where batches are made as they are asked for."""
        bound = self._stream.read_ahead
        if not (threads and bound and steps):
            return None
        make = self._make
        return ReadAhead(
            lambda step, _: make(step, rows),
            ((step, 0) for step in steps),
            item_bytes=self._bytes,
            bound=min(bound, PER_THREAD * threads * self._bytes),
            threads=threads,
            deadline=rows.deadline,
        )


class Pass(Generic[Batch]):
    """One run through steps. Its threads end with its last batch, with `close`, and when nothing refers to it any more:
    a loop that an exception leaves drops it."""

    def __init__(self, loader: Loader[Batch], steps: range, threads: int | None = None) -> None:
        loader._passes.add(self)
        self._loader, self._steps, self._next, self._loads = loader, steps, 0, loader._loads
        self._process, self._closed, self._turn = os.getpid(), False, threading.Lock()
        self._rows = loader._stream.reading(steps)
        self._reader = loader._reader(steps, loader._stream.threads if threads is None else threads, self._rows)

    def __iter__(self) -> "Pass[Batch]":
        return self

    def __next__(self) -> Batch:
        if os.getpid() != self._process:  # a forked child has the lock in any state
            return self._advance()
        with self._turn:  # threads may share a pass: each batch goes to one of them
            return self._advance()

    def _advance(self) -> Batch:
        if self._closed:
            raise UsageError("the iteration was closed", do="iterate over the loader again")
        self._loader._check_open()
        if self._next >= len(self._steps):
            self._end()
            raise StopIteration
        if self._loads != self._loader._loads:
            raise UsageError(
                "load_state_dict has placed the loader elsewhere while this pass ran",
                do="iterate over the loader again: the next pass begins there",
            )
        step = self._steps[self._next]
        reader = self._reader  # another thread may close the pass meanwhile
        if reader is None or os.getpid() != self._process:
            # A forked child has no threads, and their lock in any state: it makes its batches itself.
            batch = self._loader._make(step, self._rows)
        else:
            batch, _ = reader.take(step, 0)
        done = self._loader._finish(batch)
        self._next += 1
        self._loader._handed_out(step)
        return done

    def close(self) -> None:
        """End the threads and wait for them. Another `next` is a UsageError."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        reader, self._reader = self._reader, None
        if os.getpid() == self._process:
            self._rows.close()
            if reader is not None:
                reader.close()

    def __del__(self) -> None:
        if hasattr(self, "_reader") and os.getpid() == self._process:
            self._rows.close()
            if self._reader is not None:
                self._reader.stop()
