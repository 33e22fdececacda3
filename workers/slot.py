"""A slot's arrays, as a gradient worker takes them, and their digest."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.labels import Labels
from millrace.pipeline import Stream, Visited, images_of, labels_of, samples_of
from millrace.runs import DRAW, LEDGER, WARP
from millrace.workers.clock import Clock
from millrace.workers.ledger import digest_of


class Slot(NamedTuple):
    """samples: int64 (rows,). labels: uint8 or uint16 (rows,). images: uint8 (rows, C, H, W). digest: of all three,
    for the ledger. The arrays are only read."""

    samples: npt.NDArray[np.int64]
    labels: Labels
    images: npt.NDArray[np.uint8]
    digest: bytes

    @classmethod
    def made(cls, stream: Stream, step: int, slot: int, clock: Clock | None = None) -> "Slot":
        """The slot of a stream: the arrays of `stream.batch(step, slot)`, without Arrow around them. clock: of this
        thread.

        The digest is taken while the pixels are still in the cache."""
        clock = clock or Clock()
        before, rows = _visited(stream, step, slot, clock)
        arrays = rows.samples, rows.labels, rows.pixels
        clock.enter(LEDGER)
        made = cls(*arrays, digest_of(*arrays))
        clock.enter(before)
        return made

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> "Slot":
        """The slot that a record batch holds: views of its columns."""
        arrays = samples_of(batch), labels_of(batch), images_of(batch)
        return cls(*arrays, digest_of(*arrays))


def batch_of(stream: Stream, step: int, slot: int, clock: Clock) -> pa.RecordBatch:
    """`stream.batch(step, slot)`, with its time on the clock of this thread."""
    before, rows = _visited(stream, step, slot, clock)
    batch = stream.record(step, rows, slot=slot)
    clock.enter(before)
    return batch


def _visited(stream: Stream, step: int, slot: int, clock: Clock) -> tuple[int, Visited]:
    """The stage that the thread was in, and the slot's rows."""
    before = clock.enter(DRAW)
    rows = stream.rows(stream.order.epoch(step), *stream.order.span(step, slot))
    clock.enter(WARP, rows.drawn or clock.since)
    return before, rows
