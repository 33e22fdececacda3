"""What a stream delivers from: a dataset that is open here, or a server. Both answer alike; this file needs neither."""

from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from millrace.errors import UsageError
from millrace.pipeline import Sizes, Visited

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


class Shares(Protocol):
    """Rows of a step that is asked for by number, of one of `world` ranks."""

    def rows(self, step: int, rank: int, world: int) -> Visited:
        """The rank's rows of a step, as arrays that may be read-only."""

    def record(self, step: int, rank: int, world: int) -> pa.RecordBatch:
        """The same as a record batch; its schema says which step it is of."""


def unknown_statistics() -> UsageError:
    """The error where the training images, and so their statistics, are not at hand."""
    return UsageError(
        "the pixel statistics of the training images are not known here",
        expected="the mean and deviation that the network is trained with",
        do="pass mean= and std= (those of the training stream), or normalize='unit'",
    )


class PassShares(Shares, Protocol):
    """Rows for one pass, of one rank: steps are asked for about in order, each once, by any thread."""

    deadline: float  # seconds in which a step must be there

    def close(self) -> None:
        """Whoever waits for a step gets an error, soon; a step that is asked for afterwards may be one."""


class BatchSource(Shares, Protocol):
    """All steps of a stream, and what it is."""

    name: str
    split: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]

    @property
    def sizes(self) -> Sizes:
        """How many rows each step has."""

    @property
    def identity(self) -> Mapping[str, object]:
        """What decides every bit of the stream, as plain values: states of streams that differ here are foreign."""

    @property
    def statistics(self) -> Statistics:
        """Mean and deviation of each channel over the training pixels, untouched, in units of full brightness."""

    def reading(self, steps: range, rank: int, world: int, bound: int) -> PassShares:
        """Rows for a pass over these steps; at most `bound` bytes are fetched ahead of need."""
