"""Whether a run repeats what was found before: which medians lie within the spread of the rounds that were there.

Of a peer the ratio counts, since a slower machine changes it least; its value where a row has no peers, and ours where
something was promised of ours alone.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.loaders import OURS
from benchmarks.results import Part, Row
from benchmarks.table import short


@dataclass(frozen=True)
class Figure:
    """A contender's figure in a row: the median now, and the rounds before."""

    row: str
    contender: str
    now: float
    before: list[float]
    holds: tuple[bool | None, bool | None]  # what was promised: before, now

    @property
    def inside(self) -> bool:
        """Whether it is within the spread."""
        return min(self.before) <= self.now <= max(self.before)

    @property
    def changed(self) -> bool:
        """Whether what was promised held and is missed now, or the other way."""
        return self.holds in ((True, False), (False, True))

    def __str__(self) -> str:
        middle, spread = statistics.median(self.before), f"{short(min(self.before))} to {short(max(self.before))}"
        told = f"{self.row}, {self.contender}: {short(self.now)}; before {short(middle)} ({spread})"
        if self.changed:
            told += "; what was promised " + ("is missed now" if self.holds[0] else "holds now")
        return told


def figures(before: Part, now: Part) -> Iterator[Figure]:
    """All figures that both have."""
    rows = {row.name: row for row in before.rows}
    for row in now.rows:
        if (old := rows.get(row.name)) is None:
            continue
        for contender in compared(row):
            if contender in compared(old):
                holds = (old.holds(contender), row.holds(contender))
                yield Figure(row.name, contender, _median(row, contender), _rounds(old, contender), holds)


def text(name: str, before: Part, now: Part) -> str:
    """In words: how many figures lie within the spread, and every one that does not or changes sides of its bar."""
    if before.images != now.images:
        return f"{name}: other images than before ({now.images or 'MNIST'}), so it was not compared with that"
    found = list(figures(before, now))
    inside = sum(figure.inside for figure in found)
    told = [f"{name}: {inside} of {len(found)} medians lie within the spread of the results that were there before"]
    told += [f"  {figure}" for figure in found if not figure.inside or figure.changed]
    return "\n".join(told)


def compared(row: Row) -> list[str]:
    """The contenders whose figures count."""
    if OURS not in row.values or not row.peers:
        return list(row.values)
    return row.peers if row.at_most is None else [OURS, *row.peers]


def _rounds(row: Row, contender: str) -> list[float]:
    return row.ratios(contender) if OURS in row.values and contender in row.peers else row.measured(contender)


def _median(row: Row, contender: str) -> float:
    return statistics.median(_rounds(row, contender))
