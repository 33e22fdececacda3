"""What was measured: rows, the parts that they make, and the file that keeps every run of them.

A row has one value of every contender in every round. A ratio is taken pair by pair, ours and a peer's of one round,
and is above 1 where ours is better, whichever way the unit runs. The file keeps runs apart, since a virtual machine's
hours differ more than the rounds of one run; `joined` makes one part of a part's runs.
"""

import datetime
import importlib.metadata
import json
import math
import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.loaders import OURS
from millrace.cores import cores

FORMAT = 2


@dataclass(frozen=True)
class Row:
    """One thing that was measured, of all contenders in turns."""

    name: str
    unit: str
    # contender → a value of each round, NaN where it had no part; ours is called OURS. Who has fewer had part in the
    # first ones
    values: Mapping[str, Sequence[float]]
    less_is_better: bool = False
    at_least: Mapping[str, float] = field(default_factory=dict)  # peer → the ratio that was promised
    at_most: float | None = None  # what was promised of ours alone, in the row's unit
    missing: Mapping[str, str] = field(default_factory=dict)  # contender → why it was not measured
    note: str = ""
    shown: bool = True  # in the picture

    @property
    def peers(self) -> list[str]:
        """All that were measured but ours; "millrace, …" is another way of ours."""
        return [name for name in self.values if not name.startswith(OURS)]

    def measured(self, contender: str) -> list[float]:
        """The values of the rounds that a contender had part in."""
        return [value for value in self.values[contender] if not math.isnan(value)]

    def ratios(self, peer: str) -> list[float]:
        """How many times as good as a peer ours is, in each round that both had part in; infinite where the worse one
        is 0."""
        pairs = zip(self.values[OURS][: len(self.values[peer])], self.values[peer], strict=True)
        both = [(ours, theirs) for ours, theirs in pairs if not math.isnan(ours + theirs)]
        if self.less_is_better:
            return [_over(theirs, ours) for ours, theirs in both]
        return [_over(ours, theirs) for ours, theirs in both]

    def holds(self, peer: str) -> bool | None:
        """Whether what was promised against a peer, or of ours alone, is so; None where nothing was."""
        if peer == OURS:
            return None if self.at_most is None else statistics.median(self.measured(OURS)) <= self.at_most
        bar = self.at_least.get(peer)
        return None if bar is None else statistics.median(self.ratios(peer)) >= bar


@dataclass(frozen=True)
class Part:
    """What `make bench ONLY=name` measures, and where and when it did: a run, or several that were joined."""

    rows: Sequence[Row]
    machine: str
    date: str
    versions: Mapping[str, str]
    seconds: float
    images: str = ""  # what has to be said of them
    runs: int = 1


def machine() -> str:
    """The processor, its cores, the memory and the system, in words."""
    try:
        model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        model = None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = model[1] if model else platform.processor() or platform.machine()
    return f"{cores()} cores of {name}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Of Python and those of the packages that are installed."""
    found = {"Python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def today() -> str:
    """The date, in UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def read(path: Path) -> dict[str, list[Part]]:
    """The runs of each part in a file, by the part's name, the oldest first; none where there is no file."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("format") != FORMAT:
        raise ValueError(
            f"{path}: expected format {FORMAT}, got {document.get('format')!r}; remove it and measure again"
        )
    return {
        name: [Part(**{**run, "rows": [Row(**row) for row in run["rows"]]}) for run in runs]
        for name, runs in document["parts"].items()
    }


def write(path: Path, parts: Mapping[str, Sequence[Part]]) -> None:
    """Write aside and rename."""
    document = {"format": FORMAT, "parts": {name: [asdict(run) for run in runs] for name, runs in parts.items()}}
    aside = path.with_suffix(".aside")
    aside.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    aside.replace(path)


def joined(runs: Sequence[Part]) -> Part:
    """One part of all rounds of a part's runs. Rows, bars and notes are the last run's, and a row that only others have
    is left out; a reason why a contender is missing stands only where no run has it."""
    if len(runs) == 1:
        return runs[0]
    last = runs[-1]
    before = [{row.name: row for row in run.rows} for run in runs[:-1]]
    rows = [_joined([*(run[row.name] for run in before if row.name in run), row]) for row in last.rows]
    dates = sorted({run.date for run in runs})
    return replace(
        last,
        rows=rows,
        date=dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
        seconds=sum(run.seconds for run in runs),
        runs=sum(run.runs for run in runs),
    )


def _joined(rows: Sequence[Row]) -> Row:
    values: dict[str, list[float]] = {}
    for contender in dict.fromkeys(name for row in reversed(rows) for name in row.values):
        values[contender] = []
        for row in rows:
            had = list(row.values.get(contender, ()))
            values[contender] += had + [math.nan] * (max(map(len, row.values.values())) - len(had))
    missing = {name: why for name, why in rows[-1].missing.items() if name not in values}
    return replace(rows[-1], values=values, missing=missing)


def _over(better: float, worse: float) -> float:
    if worse:
        return better / worse
    return float("inf") if better else 1.0
