"""A stream that a server makes, as a source of batches: what it is known by, and single steps of it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import flight

from millrace.errors import ServiceError
from millrace.loading.shares import PassShares, Statistics, unknown_statistics
from millrace.pipeline import Sizes, Visited, arrow_bytes, described
from millrace.service.client.link import Link
from millrace.service.client.refusals import check_version, other_stream
from millrace.service.client.steady import SteadyShares, one_batch, visited
from millrace.service.ticket import StepTicket, stream_digest


class RemoteSource:
    """The stream that the servers of a link have. Raises a ServiceError where they have none, or speak another
    language, and a DeadlineError where none answers."""

    def __init__(self, link: Link) -> None:
        self.link = link
        told = link.action("describe")
        check_version(told)
        try:
            self._know(told)
            link.learn(tuple(told["endpoints"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError("what the server tells of itself is not understood", got=repr(error)) from error

    def _know(self, told: Mapping[str, Any]) -> None:
        self.identity: Mapping[str, object] = told["identity"]
        self.digest, self.name, self.split = str(told["stream"]), str(told["dataset"]), str(told["split"])
        if stream_digest(self.identity) != self.digest:
            raise other_stream(stream_digest(self.identity), self.digest)
        self.sizes = Sizes(int(told["samples"]), batch=int(told["batch"]))
        if self.sizes.steps_per_epoch != told["steps_per_epoch"]:
            raise ValueError("steps_per_epoch")
        self.sizes.epochs = None if told["epochs"] is None else int(told["epochs"])
        self.sizes.holder, self.sizes.more = "the service", "have it serve more"
        self.classes = tuple(map(str, told["classes"]))
        channels, height, width = map(int, told["shape"])
        self.shape = channels, height, width
        self._label_bytes = np.dtype(str(told["label"])).itemsize
        self._mean, self._std = told["mean"], told["std"]
        self.client_bytes = int(told["limits"]["client_bytes"])
        self.described = told

    @property
    def statistics(self) -> Statistics:
        """Mean and deviation of each channel over the training pixels. UsageError where the server has them not."""
        if self._mean is None or self._std is None:
            raise unknown_statistics()
        return tuple(self._mean), tuple(self._std)

    def rows(self, step: int, rank: int, world: int) -> Visited:
        """A rank's rows of a step, over the memory of the message that they came in: read-only."""
        return visited(self.batch(step, *self.within(step, rank, world)))

    def record(self, step: int, rank: int, world: int) -> pa.RecordBatch:
        """The same as a record batch, equal to the one that is made where the stream is, its metadata too."""
        return self.complete(step, self.batch(step, *self.within(step, rank, world)))

    def reading(self, steps: range, rank: int, world: int, bound: int) -> PassShares:
        """Rows for a pass over these steps; at most `bound` bytes are asked for in a call."""
        size = max(1, arrow_bytes(-(-self.sizes.batch // world), self.shape, self._label_bytes))
        # A call for many steps holds three batches there; where that is too much, each is asked for alone.
        most = bound // size if 3 * size <= self.client_bytes else 1
        return SteadyShares(self, steps, rank, world, most=most)

    def within(self, step: int, rank: int, world: int) -> tuple[int, int]:
        """The positions [begin, end) within a step that are a rank's."""
        first, last = self.sizes.share(step, rank, world)
        return first - self.sizes.begin(step), last - self.sizes.begin(step)

    def batch(self, step: int, begin: int, end: int, ended: Callable[[], bool] = lambda: False) -> pa.RecordBatch:
        """The positions [begin, end) of a step, as they came. ended: as for `Link.persist`."""
        ticket = flight.Ticket(StepTicket(self.digest, step, (begin, end)).encode())

        def ask(client: flight.FlightClient) -> pa.RecordBatch:
            return one_batch(client.do_get(ticket, self.link.options()), step, end - begin)

        return self.link.persist(ask, ended)

    def complete(self, step: int, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch as it came, its schema saying also which step it is of."""
        return described(batch, epoch=self.sizes.epoch(step), step=step)
