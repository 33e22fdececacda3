"""A worker's supply of batches: asked from an augmenter ahead of need, or made here; the same bits either way."""

import time
from collections import deque
from typing import Any, NamedTuple

import pyarrow as pa
import ray

from pipeline import Stream
from workers.ray_runtime.augmenter import keys

CHUNK = 2 << 20  # bytes of batches that one call asks for
WAIT = 20.0  # seconds to wait for an augmenter that is alive but late, before the batch is made here
REST = 3.0  # seconds without calls to an augmenter that failed

Key = tuple[int, int]


class _Asked(NamedTuple):
    begin: int
    end: int
    slots: tuple[int, ...]
    reference: Any


class Supply:
    """Batches for the slots that a worker expects to compute, within a bound in bytes.

    augmenter: an actor handle; None: the worker makes its batches itself while it waits for weights (`help`).
    """

    def __init__(self, stream: Stream, augmenter: Any, bound: int, last: int) -> None:
        self._stream, self._augmenter, self._bound, self._last = stream, augmenter, bound, last
        self._ready: dict[Key, pa.RecordBatch] = {}
        self._asked: deque[_Asked] = deque()
        self._expected: tuple[int, tuple[int, ...]] = (0, ())
        self._rest_until = 0.0
        self.received = 0

    @property
    def in_flight(self) -> int:
        """Bytes asked for or made, and not used."""
        asked = sum((a.end - a.begin) * len(a.slots) for a in self._asked)
        return (asked + len(self._ready)) * self._stream.slot_bytes

    def expect(self, step: int, slots: tuple[int, ...]) -> None:
        """From this step on the worker computes these slots: forget the rest, and ask ahead."""
        if slots != self._expected[1]:
            self._asked.clear()
            self._ready = {key: batch for key, batch in self._ready.items() if key[0] >= step}
        self._expected = (step, slots)
        for key in [key for key in self._ready if key[0] < step]:
            del self._ready[key]
        while self._asked and self._asked[0].end <= step:
            self._asked.popleft()
        if self._augmenter is not None and slots and time.monotonic() >= self._rest_until:
            self._ask(step, slots)

    def take(self, step: int, slot: int) -> tuple[pa.RecordBatch, float]:
        """The batch, and the seconds that the worker waited for it or made it."""
        if (step, slot) in self._ready:
            return self._ready.pop((step, slot)), 0.0
        began = time.perf_counter()
        for asked in list(self._asked):
            if asked.begin <= step < asked.end and slot in asked.slots:
                self._receive(asked)
                break
        batch = self._ready.pop((step, slot), None)
        if batch is None:
            batch = self._stream.batch(step, slot)
        return batch, time.perf_counter() - began

    def help(self) -> bool:
        """Make the next expected batch that is not there yet; False where nothing is to be made."""
        resting = time.monotonic() < self._rest_until
        step, slots = self._expected
        if (self._augmenter is not None and not resting) or not slots:
            return False
        most = max(len(slots), self._bound // self._stream.slot_bytes)
        ahead = step + 1
        while len(self._ready) < most and ahead < min(self._last, step + 3):
            for slot in slots:
                if slot < self._stream.order.slots(ahead) and (ahead, slot) not in self._ready:
                    self._ready[ahead, slot] = self._stream.batch(ahead, slot)
                    return True
            ahead += 1
        return False

    def _ask(self, step: int, slots: tuple[int, ...]) -> None:
        """Keep calls in flight: whole runs of steps each, so that a call costs little per step."""
        size = self._stream.slot_bytes * len(slots)
        run = max(1, min(CHUNK, self._bound // 2) // size)
        begin = max(step + 1, self._asked[-1].end if self._asked else 0)
        while begin < self._last and len(self._asked) < 2 and (self.in_flight + run * size <= self._bound or run == 1):
            end = min(begin + run, self._last)
            self._asked.append(_Asked(begin, end, slots, self._augmenter.make.remote(begin, end, slots)))
            begin = end

    def _receive(self, asked: _Asked) -> None:
        self._asked.remove(asked)
        try:
            buffer = ray.get(asked.reference, timeout=WAIT)
        except (ray.exceptions.RayError, TimeoutError):
            # Dead, lost or late: what it would have made is made here; it is asked again later.
            self._asked.clear()
            self._rest_until = time.monotonic() + REST
            return
        with pa.ipc.open_stream(buffer) as reader:
            for key in keys(self._stream.order, *asked[:3]):
                batch, metadata = reader.read_next_batch_with_custom_metadata()
                self._ready[key] = batch.replace_schema_metadata(dict(metadata))
        self.received += buffer.size
