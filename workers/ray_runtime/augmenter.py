"""The augmenter actor: makes batches for workers, ahead of their need."""

import uuid
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import ray

from millrace.errors import MillraceError
from millrace.pipeline import Order
from millrace.runs import IDLE, SEND, Spent
from millrace.workers.clock import Clock
from millrace.workers.job import Job
from millrace.workers.ray_runtime.fetcher import FETCH
from millrace.workers.ray_runtime.handover import Handover, received
from millrace.workers.ray_runtime.traced import Traced
from millrace.workers.setup import Setup
from millrace.workers.slot import batch_of
from millrace.workers.tree import share


class AugmenterActor(Traced):
    """Any slot of any step, as the stream computes it; remembers nothing between calls."""

    def __init__(self, job: Job, data: Handover, traced: bool = False) -> None:
        self._incarnation = uuid.uuid4().hex
        self._clock = Clock(traced=traced)
        self._unready: MillraceError | None = None
        try:
            self._stream = Setup(job, received(data, FETCH)).stream
        except MillraceError as error:  # raised here it would end the process, and lose all but its text
            self._unready = error

    def hello(self) -> tuple[str, str, Spent]:
        """This incarnation, its node, and what it has done so far. Errors: DataError where this node's disk has no room
        for the table."""
        if self._unready is not None:
            raise self._unready
        return self._incarnation, str(ray.get_runtime_context().get_node_id()), self._clock.spent

    def make(self, begin: int, end: int, lease: tuple[int, int]) -> pa.Buffer:
        """The batches of a lease's slots of the steps [begin, end), as `keys` orders them: one Arrow IPC stream, which
        is read from shared memory without a copy. What each schema says of its batch travels next to the batch."""
        sink = pa.BufferOutputStream()
        writer = None
        for step, slot in keys(self._stream.order, begin, end, lease):
            batch = batch_of(self._stream, step, slot, self._clock)
            self._clock.enter(SEND)
            bare = batch.replace_schema_metadata(None)
            if writer is None:
                writer = pa.ipc.new_stream(sink, bare.schema)
            writer.write_batch(bare, custom_metadata=batch.schema.metadata)
        if writer is not None:
            writer.close()
        self._clock.enter(IDLE)
        return sink.getvalue()


def keys(order: Order, begin: int, end: int, lease: tuple[int, int]) -> list[tuple[int, int]]:
    """(step, slot) of the slots that a lease (rank, members) has of the steps [begin, end), step after step."""
    rank, members = lease
    found = []
    for step in range(begin, end):
        slots = order.slots(step)
        for block in share(slots, members, rank):
            found += [(step, slot) for slot in range(block.start, min(block.end, slots))]
    return found


def nearest(augmenters: Sequence[tuple[Any, str]], node: str, number: int) -> Any:
    """The augmenter for a worker of this number and node, of (actor, node): one of its own node where there is any;
    None where there is none at all."""
    near = [actor for actor, place in augmenters if place == node] or [actor for actor, _ in augmenters]
    return near[number % len(near)] if near else None
