"""What was measured: rows, the parts that they make, and the file that keeps them.

A row has one value of every contender in every round. A ratio is taken pair by pair, ours and a peer's of one round,
and is above 1 where ours is better, whichever way the unit runs.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.loaders import OURS
from millrace.cores import cores

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """One thing that was measured, of all contenders in turns."""

    name: str
    unit: str
    values: Mapping[str, Sequence[float]]  # contender → a value of each round; ours is called OURS
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

    def ratios(self, peer: str) -> list[float]:
        """How many times as good as a peer ours is, in each round that the peer had part in, the first ones; infinite
        where the worse one is 0."""
        pairs = zip(self.values[OURS][: len(self.values[peer])], self.values[peer], strict=True)
        if self.less_is_better:
            return [_over(theirs, ours) for ours, theirs in pairs]
        return [_over(ours, theirs) for ours, theirs in pairs]

    def holds(self, peer: str) -> bool | None:
        """Whether what was promised against a peer, or of ours alone, is so; None where nothing was."""
        if peer == OURS:
            return None if self.at_most is None else statistics.median(self.values[OURS]) <= self.at_most
        bar = self.at_least.get(peer)
        return None if bar is None else statistics.median(self.ratios(peer)) >= bar


@dataclass(frozen=True)
class Part:
    """What `make bench ONLY=name` measures, and where and when it did."""

    rows: Sequence[Row]
    machine: str
    date: str
    versions: Mapping[str, str]
    seconds: float
    images: str = ""  # what has to be said of them


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


def read(path: Path) -> dict[str, Part]:
    """The parts in a file, by name; none where there is no file."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("format") != FORMAT:
        raise ValueError(
            f"{path}: expected format {FORMAT}, got {document.get('format')!r}; remove it and measure again"
        )
    return {
        name: Part(**{**part, "rows": [Row(**row) for row in part["rows"]]}) for name, part in document["parts"].items()
    }


def write(path: Path, parts: Mapping[str, Part]) -> None:
    """Write aside and rename."""
    document = {"format": FORMAT, "parts": {name: asdict(part) for name, part in parts.items()}}
    aside = path.with_suffix(".aside")
    aside.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    aside.replace(path)


def _over(better: float, worse: float) -> float:
    if worse:
        return better / worse
    return float("inf") if better else 1.0
