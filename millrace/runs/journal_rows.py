"""The updates of a stale run as its journal has them, in 24 bytes each; tuples of numbers would take six times that."""

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload


class JournalRow(NamedTuple):
    """One update. worker: who computed it. batch: the step of the stream whose samples it has. read: the version of
    the weights that its gradient was taken at."""

    worker: int
    batch: int
    read: int


class JournalRows(Sequence[JournalRow]):
    """Rows by the number of their update, which grow at their end."""

    def __init__(self, rows: Iterable[JournalRow] = ()) -> None:
        self._columns = tuple(array("q") for _ in JournalRow._fields)
        for row in rows:
            self.append(row)

    def append(self, row: JournalRow) -> None:
        """Add the next update. Errors: OverflowError for a number of more than 63 bits."""
        for column, number in zip(self._columns, row, strict=True):
            column.append(number)

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, index: int) -> JournalRow: ...
    @overload
    def __getitem__(self, index: slice) -> "JournalRows": ...
    def __getitem__(self, index: int | slice) -> "JournalRow | JournalRows":
        if isinstance(index, int):
            return JournalRow(*(column[index] for column in self._columns))
        part = JournalRows()
        part._columns = tuple(column[index] for column in self._columns)
        return part


def staleness(rows: Iterable[JournalRow]) -> dict[int, int]:
    """How many updates were of weights so many versions old, by that number, ascending. rows: of a run's journal, from
    its first update on."""
    counts: dict[int, int] = {}
    for update, row in enumerate(rows):
        counts[update - row.read] = counts.get(update - row.read, 0) + 1
    return dict(sorted(counts.items()))


def wrong_reads(rows: Sequence[JournalRow], bound: int | None) -> list[int]:
    """The updates that read weights of the future, or of further back than the bound (None: there is none) allows."""
    allowed = len(rows) if bound is None else bound
    return [update for update, row in enumerate(rows) if not 0 <= update - row.read <= allowed]
