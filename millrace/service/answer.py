"""The answer to one DoGet: record batches in the order of the steps, made ahead, within the bytes it was granted."""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

import pyarrow as pa

from millrace.pipeline import ReadAhead
from millrace.service.figures import Figures
from millrace.service.guard import guarded
from millrace.service.offer import Asked, Offer
from millrace.service.share import Group, Share
from millrace.service.ticket import DRAINING, Refused
from millrace.service.workshop import Workshop

AHEAD = 8  # groups that are made ahead of the one that is written, where the bytes allow it


class Answer:
    """An iterator of (batch, metadata) for `pyarrow.flight.GeneratorStream`. `close` may be called at any time, by any
    thread, and more than once. peer: who asked, as gRPC calls them. idle_since: when gRPC took the last batch and began
    to write it (monotonic seconds); None while it waits for one here, or where it has all. Set `interrupted`, and the
    next batch is a refusal."""

    def __init__(
        self,
        offer: Offer,
        asked: Asked,
        share: Share,
        workshop: Workshop,
        *,
        peer: str,
        bound: int,
        figures: Figures,
        closed: Callable[[], None],
    ) -> None:
        self._offer, self._asked, self._share, self._workshop, self._figures = offer, asked, share, workshop, figures
        self._next, self._on_close, self._lock, self._closed = asked.begin, closed, threading.Lock(), False
        self.peer, self.interrupted = peer, False
        self.idle_since: float | None = time.monotonic()
        self._groups, self._made = offer.groups(asked), deque[pa.RecordBatch]()
        self._reader: ReadAhead[Group] | None = None
        # What makes the batches must not know this object: it ends when nobody iterates over it any more.
        self._make = partial(share.group, asked=asked)
        if asked.end - asked.begin > 1:
            size = offer.group_bytes(asked)
            ahead = max(bound - 2 * size, size)  # two more groups may be here and with gRPC
            self._reader = workshop.open(self._make, offer.groups(asked), item_bytes=size, bound=ahead)

    def __iter__(self) -> "Answer":
        return self

    @guarded
    def __next__(self) -> tuple[pa.RecordBatch, bytes]:
        """The next batch, and the step that it is of. Errors: as `refusal` tells them."""
        began, since, self.idle_since = time.monotonic(), self.idle_since, None
        try:
            step, batch = self._advance()
        except BaseException:  # also at its end
            self.close()
            raise
        now = time.monotonic()
        self._figures.handed(
            step,
            batch.num_rows,
            self._offer.bytes(batch.num_rows),
            now - began,
            0.0 if since is None else began - since,
        )
        self.idle_since = now
        return batch, b'{"step":%d}' % step

    def _advance(self) -> tuple[int, pa.RecordBatch]:
        step = self._next
        if step >= self._asked.end:
            raise StopIteration
        if self.interrupted:
            raise Refused(DRAINING, f"this server ends; ask another one, or the next, for the steps from {step} on")
        if not self._made:
            self._made.extend(self._group(*next(self._groups)))
        self._next += 1
        return step, self._made.popleft()

    def _group(self, begin: int, end: int) -> list[pa.RecordBatch]:
        if self._reader is None:
            return self._share.batches(self._workshop.make(self._make, begin, end))
        made, _ = self._reader.take(begin, end)
        self._workshop.wake()
        return self._share.batches(made)

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed

    def close(self) -> None:
        """Give back what the answer holds."""
        with self._lock:
            done, self._closed = self._closed, True
        if not done:
            if self._reader is not None:
                self._workshop.leave(self._reader)
            self._on_close()

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()
