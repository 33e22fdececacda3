"""Proof of what a run was trained on: its data, made once more and compared with its ledger."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from millrace.datasets import Dataset
from millrace.pipeline import BALANCED
from millrace.runs import Claim, RunFolder, read_lines, reproducible
from millrace.workers import Job, Setup, expected


@dataclass(frozen=True)
class EpochAudit:
    """An epoch (from 0): the samples it was trained on, how many of them are missing or too many, the run's ledger and
    the one that its configuration gives (sha256, hex). rows: how many different ones its data has, where balanced
    sampling shows some of them several times and others not at all; None where each comes once."""

    epoch: int
    samples: int
    missing: int
    repeated: int
    ledger: str
    expected: str
    rows: int | None = None

    @property
    def same(self) -> bool:
        """Whether the very ids, labels and pixels were trained on, in that order."""
        return self.ledger == self.expected

    @property
    def right(self) -> bool:
        """Whether nothing is wrong with the epoch."""
        return self.same and not self.missing and not self.repeated


@dataclass(frozen=True)
class Audit:
    """epochs: the finished ones. survived: kinds of incidents and how often each happened. driver: who trains the run,
    or did last (None: it was never trained). reproducible: False where machines of another environment were admitted,
    so that its bits cannot be had again."""

    epochs: tuple[EpochAudit, ...]
    survived: dict[str, int]
    driver: Claim | None
    reproducible: bool

    @property
    def balanced(self) -> bool:
        """Whether the run was shown every class equally often, and so samples of small classes several times."""
        return any(epoch.rows is not None for epoch in self.epochs)

    @property
    def samples(self) -> int:
        """The samples of all these epochs."""
        return sum(epoch.samples for epoch in self.epochs)

    @property
    def wrong(self) -> tuple[int, ...]:
        """The epochs that were trained on something else than the configuration says."""
        return tuple(epoch.epoch for epoch in self.epochs if not epoch.right)


def audit(
    folder: RunFolder, job: Job, dataset: Dataset, each: Callable[[EpochAudit], None] = lambda epoch: None
) -> Audit:
    """Make every epoch's data once more, as fast as training makes it; `each` is called with each as it is done."""
    epochs = []
    for epoch in _audited(folder, Setup(job, dataset)):
        each(epoch)
        epochs.append(epoch)
    survived = Counter(str(line["kind"]) for line in read_lines(folder.incidents))
    return Audit(tuple(epochs), dict(survived), folder.last_owner(), reproducible(folder.incidents))


def _audited(folder: RunFolder, setup: Setup) -> Iterator[EpochAudit]:
    for line in read_lines(folder.epochs):
        ledger, count, different = expected(setup.stream, line["epoch"])
        missing, repeated = max(0, count - line["samples"]), max(0, line["samples"] - count)
        rows = different if setup.sampling == BALANCED else None
        yield EpochAudit(line["epoch"], line["samples"], missing, repeated, line["ledger"], ledger, rows)
