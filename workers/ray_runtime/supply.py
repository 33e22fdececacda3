"""A worker's supply of batches: asked from an augmenter ahead of need, or made here; the same bits either way."""

import time
from collections import deque
from typing import Any, NamedTuple

import pyarrow as pa
import ray

from millrace.pipeline import Stream
from millrace.workers.clock import Clock
from millrace.workers.ray_runtime.augmenter import keys
from millrace.workers.slot import Slot

CHUNK = 2 << 20  # bytes of batches that one call asks for
RUN = 16  # steps at most that one call asks for: what a changed lease throws away
AHEAD = 2  # steps for which a worker without an augmenter makes batches ahead
WAIT = 1.0  # seconds to wait for an augmenter that is late, before the batch is made here
REST = 3.0  # seconds in which an augmenter that failed or was late is neither asked nor waited for

Key = tuple[int, int]


class _Asked(NamedTuple):
    """A call of an augmenter: the steps [begin, end), the (step, slot) that its answer has in order, the answer."""

    begin: int
    end: int
    keys: list[Key]
    reference: Any


class Supply:
    """Batches for the slots that a worker expects to compute, within a bound in bytes.

    augmenter: an actor handle; None: the worker makes its batches itself while it waits for weights (`help`). clock: of
    the worker.
    """

    def __init__(self, stream: Stream, augmenter: Any, bound: int, last: int, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._stream, self._augmenter, self._bound, self._last = stream, augmenter, bound, last
        self._ready: dict[Key, Slot | pa.RecordBatch] = {}
        self._asked: deque[_Asked] = deque()
        self._next_augmenter = augmenter
        self._step, self._lease = -1, (0, 1)
        self._rest_until = 0.0
        self.received = 0

    @property
    def in_flight(self) -> int:
        """Bytes asked for or made, and not used."""
        return (sum(len(asked.keys) for asked in self._asked) + len(self._ready)) * self._stream.slot_bytes

    def use(self, augmenter: Any) -> None:
        """Ask this augmenter from the next step on; may be called from another thread."""
        self._next_augmenter = augmenter

    def expect(self, step: int, lease: tuple[int, int]) -> None:
        """From this step on the worker holds this lease: forget what another one had in store, and ask ahead."""
        # `use` comes from another thread: the augmenter changes here alone, between two steps. Answers of the old one
        # may never come, and are not waited for.
        if self._augmenter is not self._next_augmenter:
            self._augmenter, self._rest_until = self._next_augmenter, 0.0
            self._asked.clear()
        # Another lease means other slots of every step: what was asked for or made is mostly of slots that others hold
        # now, would fill the bound, and be used by no one. It is made again where it is needed: the same bits.
        if lease != self._lease:
            self._asked.clear()
            self._ready.clear()
        self._step, self._lease = step, lease
        # Slots of earlier steps, which others have computed in this one's place, are never asked for again.
        for key in [key for key in self._ready if key[0] < step]:
            del self._ready[key]
        while self._asked and self._asked[0].end <= step:
            self._asked.popleft()
        if self._augmenter is not None and time.monotonic() >= self._rest_until:
            self._ask()

    def take(self, step: int, slot: int) -> tuple[Slot | pa.RecordBatch, float]:
        """The slot, and the seconds that the worker waited for it or made it."""
        if (step, slot) in self._ready:
            return self._ready.pop((step, slot)), 0.0
        began = time.perf_counter()
        for asked in list(self._asked):
            if (step, slot) in asked.keys:
                self._receive(asked)
                break
        batch = self._ready.pop((step, slot), None)
        if batch is None:
            batch = Slot.made(self._stream, step, slot, self._clock)
        return batch, time.perf_counter() - began

    def help(self) -> bool:
        """Make the next expected batch that is not there yet; False where nothing is to be made."""
        resting = time.monotonic() < self._rest_until
        if (self._augmenter is not None and not resting) or self._step < 0:
            return False
        room = max(1, self._bound // self._stream.slot_bytes)
        until = min(self._step + 1 + AHEAD, self._last)
        for key in keys(self._stream.order, self._step + 1, until, self._lease):
            if len(self._ready) >= room:
                return False
            if key not in self._ready:
                self._ready[key] = Slot.made(self._stream, *key, self._clock)
                return True
        return False

    def _ask(self) -> None:
        """Keep two calls in flight: each for several steps, so that a call costs little per step."""
        share = max(1, len(keys(self._stream.order, self._step, self._step + 1, self._lease)))
        run = max(1, min(RUN, min(CHUNK, self._bound // 2) // (self._stream.slot_bytes * share)))
        begin = max(self._step + 1, self._asked[-1].end if self._asked else 0)
        while begin < self._last and len(self._asked) < 2:
            end = min(begin + run, self._last)
            wanted = keys(self._stream.order, begin, end, self._lease)
            if not wanted:
                break  # more members than slots: this one has no share
            self._asked.append(_Asked(begin, end, wanted, self._augmenter.make.remote(begin, end, self._lease)))
            begin = end

    def _receive(self, asked: _Asked) -> None:
        patience = WAIT if time.monotonic() >= self._rest_until else 0.0
        if not ray.wait([asked.reference], timeout=patience)[0]:
            # What is late may still come in time for the steps after this one.
            self._rest_until = max(self._rest_until, time.monotonic() + REST) if patience else self._rest_until
            return
        self._asked.remove(asked)
        try:
            buffer = ray.get(asked.reference, timeout=WAIT)
        except (ray.exceptions.RayError, TimeoutError):
            # Dead or lost: what it would have made is made here; it is asked again later.
            self._asked.clear()
            self._rest_until = time.monotonic() + REST
            return
        with pa.ipc.open_stream(buffer) as reader:
            for key in asked.keys:
                batch, metadata = reader.read_next_batch_with_custom_metadata()
                self._ready[key] = batch.replace_schema_metadata(dict(metadata))
        self.received += buffer.size
