"""What a service offers: one stream, the batches that a ticket names, and how the stream is described."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from millrace.datasets.exported import ExportedDataset
from millrace.errors import MillraceError
from millrace.loading.datastream import EPOCHS
from millrace.loading.source import StreamSource
from millrace.pipeline import PARAMETER_NAMES, arrow_bytes, columns
from millrace.service.ticket import (
    BAD_TICKET,
    OTHER_STREAM,
    OUT_OF_RANGE,
    TOO_LARGE,
    VERSION,
    RangeTicket,
    Refused,
    StepTicket,
    Ticket,
    canonical,
    stream_digest,
)
from millrace.version import __version__

METADATA = b"millrace"
MOST_STEPS = 1 << 20  # that one ticket may name
GROUP_BYTES = 1 << 18  # of the small batches that are made at once; a smaller group costs more than its pixels
MOST_GROUPED = 32

Groups = Iterator[tuple[int, int]]  # steps [begin, end)


class Asked(NamedTuple):
    """What a ticket names: the steps [begin, end); of each the rows of a rank, or the positions [first, last); by
    default all of them."""

    begin: int
    end: int
    rank: int = 0
    world: int = 1
    rows: tuple[int, int] | None = None


WHOLE = Asked(0, 1)


class Offer:
    """A stream as it is served. epochs: after which it ends; None: never.

    What depends on the stream alone is computed once; `record` may be called by any thread."""

    def __init__(self, source: StreamSource, epochs: int | None = None) -> None:
        self.source, self.stream, self.order = source, source.stream, source.stream.order
        stored = source.sizes.epochs  # of an export: as many as were written
        self.epochs: int | None = stored if epochs is None else epochs if stored is None else min(epochs, stored)
        self.steps = (self.epochs or EPOCHS) * self.order.steps_per_epoch
        self.identity: Mapping[str, Any] = json.loads(canonical(source.identity))
        self.digest = stream_digest(source.identity)
        self.shape: tuple[int, int, int] = source.dataset.shape

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of every batch; the metadata says what is the same for all of them."""
        empty = self.stream.record(0, self.stream.rows(0, 0, 0))
        described = json.loads(empty.schema.metadata[METADATA])
        constant = {key: value for key, value in described.items() if key not in ("epoch", "step")}
        return empty.schema.with_metadata({METADATA: json.dumps(constant).encode()})

    @property
    def samples(self) -> int:
        """The samples of an epoch."""
        return min(self.order.samples, self.order.steps_per_epoch * self.order.batch)

    def asked(self, ticket: Ticket) -> Asked:
        """The steps and rows that a ticket names. Errors: Refused for another stream and for what this one has not."""
        if ticket.stream != self.digest:
            raise Refused(OTHER_STREAM, f"this server has {self.digest}, the ticket is for {ticket.stream}")
        if isinstance(ticket, StepTicket):
            self._check(ticket.step, ticket.step + 1)
            size = self.order.size(ticket.step)
            if ticket.rows is not None and ticket.rows[1] > size:
                raise Refused(OUT_OF_RANGE, f"step {ticket.step} has rows 0 to {size}, got {ticket.rows[1]}")
            return Asked(ticket.step, ticket.step + 1, rows=ticket.rows)
        return self._of_range(ticket)

    def groups(self, asked: Asked) -> Groups:
        """The steps in groups that are made at once: of small batches several, none of two epochs. They end at the same
        steps wherever a ticket begins, so that tickets have groups in common."""
        most, begin = self._most(asked), asked.begin
        while begin < asked.end:
            end = min(self._around(begin, most)[1], asked.end)
            yield begin, end
            begin = end

    def group_of(self, step: int) -> tuple[int, int]:
        """The group of whole batches that a step is in."""
        return self._around(step, self._most(WHOLE))

    def group_bytes(self, asked: Asked) -> int:
        """The bytes of the largest group."""
        return self.bytes_of(asked) * min(self._most(asked), asked.end - asked.begin)

    def records(self, begin: int, end: int, asked: Asked) -> list[pa.RecordBatch]:
        """The rows that are asked for of the steps [begin, end), which are of one epoch: one batch for each step."""
        if asked.world > 1 or asked.rows is not None:
            return [self.record(step, asked) for step in range(begin, end)]
        # The steps follow on each other, and no batch size enters the rows: made in one go and cut.
        first = self.order.share(begin, 0, 1)[0]
        ends = [self.order.share(step, 0, 1)[1] - first for step in range(begin, end)]
        whole = self._batch(begin, first, first + ends[-1])
        begins = [0, *ends[:-1]]
        return [whole.slice(cut, last - cut) for cut, last in zip(begins, ends, strict=True)]

    def record(self, step: int, asked: Asked) -> pa.RecordBatch:
        """The rows of a step that are asked for."""
        return self._batch(step, *self.positions(step, asked))

    def positions(self, step: int, asked: Asked) -> tuple[int, int]:
        """The positions [first, last) within the epoch of the rows of a step that are asked for."""
        if asked.rows is None:
            return self.order.share(step, asked.rank, asked.world)
        begin = self.order.share(step, 0, 1)[0]
        return begin + asked.rows[0], begin + asked.rows[1]

    def bytes_of(self, asked: Asked) -> int:
        """The bytes of a full batch of what is asked for, at least 1."""
        rows = -(-self.order.batch // asked.world) if asked.rows is None else asked.rows[1] - asked.rows[0]
        return max(1, self.bytes(rows))

    def bytes(self, rows: int) -> int:
        """The bytes of so many rows."""
        return arrow_bytes(rows, self.shape, self.stream.labels.itemsize)

    def rows_of(self, asked: Asked) -> int:
        """The rows of all steps that are asked for."""
        if asked.rows is not None:
            return asked.rows[1] - asked.rows[0]
        steps = self.order.steps_per_epoch
        ends = asked.end // steps - asked.begin // steps  # last steps of epochs, which may be shorter than the others
        last, any_other = self._share(steps - 1, asked), self._share(0, asked)
        return ends * last + (asked.end - asked.begin - ends) * any_other

    def explain(self, sample: Any, epoch: Any) -> dict[str, Any]:
        """Where a sample stands in an epoch, and what is drawn for it there. Errors: Refused."""
        for name, value in (("sample", sample), ("epoch", epoch)):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < EPOCHS:
                raise Refused(BAD_TICKET, f"{name} must be a whole number of at least 0")
        if epoch >= self.steps // self.order.steps_per_epoch or isinstance(self.source.dataset, ExportedDataset):
            raise Refused(OUT_OF_RANGE, "this stream has no such epoch to explain")
        found = np.flatnonzero(self.stream.ids == sample)
        place = self.order.position(epoch, int(found[0])) if len(found) else None
        if place is None or place >= self.samples:
            raise Refused(OUT_OF_RANGE, f"sample {sample} is not in epoch {epoch} of this stream")
        row = self.stream.rows(epoch, place, place + 1)
        return {
            "sample": sample,
            "epoch": epoch,
            "step": epoch * self.order.steps_per_epoch + place // self.order.batch,
            "row": place % self.order.batch,
            "label": int(row.labels[0]),
            "parameters": dict(zip(PARAMETER_NAMES, row.parameters[0].tolist(), strict=True)),
        }

    def prepare(self) -> None:
        """Compute what the first client would wait for: the statistics, which take a look at every pixel, and a batch,
        which loads the kernels. Errors: DataError for an export whose first shard is damaged."""
        self.describe()
        self.record(0, WHOLE)

    def describe(self) -> dict[str, Any]:
        """What a client has to know of the stream, as plain values."""
        chosen, label = self.source.choice, self.schema.field("label").type
        mean, std = self._statistics
        return {
            "millrace": VERSION,
            "release": __version__,
            "stream": self.digest,
            "identity": self.identity,
            "dataset": self.source.dataset.spec.name,
            "split": chosen.split,
            "seed": self.stream.seed,
            "policy": self.identity["policy"],
            "batch": self.order.batch,
            "samples": self.samples,
            "steps_per_epoch": self.order.steps_per_epoch,
            "epochs": self.epochs,
            "steps": self.steps,
            "classes": list(self.source.dataset.classes),
            "shape": list(self.shape),
            "label": str(label),
            "mean": mean,
            "std": std,
        }

    @cached_property
    def _statistics(self) -> tuple[list[float] | None, list[float] | None]:
        try:
            mean, std = self.source.statistics
        except MillraceError:  # a test split alone: a client gives its own
            return None, None
        return list(mean), list(std)

    def _batch(self, step: int, first: int, last: int) -> pa.RecordBatch:
        rows = self.stream.rows(self.order.epoch(step), first, last)
        made = columns(rows.pixels, rows.labels, rows.samples, rows.parameters)
        return pa.RecordBatch.from_arrays(made, schema=self.schema)

    def _most(self, asked: Asked) -> int:
        """The steps of a group."""
        return max(1, min(MOST_GROUPED, GROUP_BYTES // self.bytes_of(asked)))

    def _around(self, step: int, most: int) -> tuple[int, int]:
        """The group of `most` steps that a step is in; the last one of an epoch may be shorter."""
        epoch = self.order.steps_per_epoch
        first = step - step % epoch
        begin = step - (step - first) % most
        return begin, min(begin + most, first + epoch)

    def _share(self, step: int, asked: Asked) -> int:
        first, last = self.order.share(step, asked.rank, asked.world)
        return last - first

    def _of_range(self, ticket: RangeTicket) -> Asked:
        self._check(ticket.begin, ticket.end)
        if ticket.end - ticket.begin > MOST_STEPS:
            raise Refused(TOO_LARGE, f"a ticket names at most {MOST_STEPS} steps, this one {ticket.end - ticket.begin}")
        return Asked(ticket.begin, ticket.end, ticket.rank, ticket.world)

    def _check(self, begin: int, end: int) -> None:
        if end > self.steps:
            raise Refused(OUT_OF_RANGE, f"this stream has the steps 0 to {self.steps - 1}, got {max(begin, end - 1)}")
