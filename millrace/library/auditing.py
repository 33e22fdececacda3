"""Proof of what a run was trained on: its data, made once more and compared with its ledger."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from millrace.datasets import Dataset
from millrace.errors import IntegrityError
from millrace.pipeline import BALANCED
from millrace.runs import (
    Claim,
    JournalRow,
    JournalRows,
    RunFolder,
    read_journal,
    read_lines,
    reproducible,
    staleness,
    wrong_reads,
)
from millrace.workers import Job, Setup, expected, identity


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
    so that its bits cannot be had again. staleness: of a stale run, how many updates of these epochs were of weights so
    many versions old. unfinished: epochs that a stale run has written down but its journal does not hold yet, which
    were not looked at: they came after the newest checkpoint, and a resumed run computes them again."""

    epochs: tuple[EpochAudit, ...]
    survived: dict[str, int]
    driver: Claim | None
    reproducible: bool
    staleness: dict[int, int] = field(default_factory=dict)
    unfinished: int = 0

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
    """Make every epoch's data once more, as fast as training makes it; `each` is called with each as it is done.

    The journal of a stale run says in which order: it must hold each batch of an epoch once, and give the epoch's
    ledger. Errors: CheckpointError where it is torn or of another run, IntegrityError where it breaks the bound."""
    setup = Setup(job, dataset)
    # Read once, and before the journal: a run in training writes that first, so it has all that these lines speak of.
    lines = read_lines(folder.epochs)
    rows = _journal(folder, setup, len(lines)) if job.stale else None
    whole = len(lines) if rows is None else len(rows) // setup.order.steps_per_epoch
    epochs = []
    for epoch in _audited(setup, lines[:whole], rows):
        each(epoch)
        epochs.append(epoch)
    survived = Counter(str(line["kind"]) for line in read_lines(folder.incidents))
    lags = staleness(rows or ())
    again = reproducible(folder.incidents)
    return Audit(tuple(epochs), dict(survived), folder.last_owner(), again, lags, len(lines) - whole)


def _journal(folder: RunFolder, setup: Setup, epochs: int) -> JournalRows:
    """The journal of so many epochs, or of fewer where it ends sooner, though not before the newest checkpoint; as far
    as that goes it is the one that the checkpoint was written beside."""
    size, kept, least = setup.order.steps_per_epoch, folder.latest(), epochs * setup.order.steps_per_epoch
    if kept is not None:
        read_journal(folder.journal, identity(setup), kept.step, kept.state.get("journal"))
        least = min(least, kept.step)
    rows = read_journal(folder.journal, identity(setup), epochs * size, least=least) if epochs else JournalRows()
    rows = rows[: len(rows) // size * size]
    if wrong := wrong_reads(rows, setup.job.bound):
        raise IntegrityError(
            f"the journal of {folder.location} breaks the run's bound",
            expected=f"weights at most {setup.job.staleness} versions old",
            got=f"{wrong[0] - rows[wrong[0]].read} at update {wrong[0]}, and {len(wrong) - 1} more",
        )
    return rows


def _audited(
    setup: Setup, lines: Sequence[Mapping[str, Any]], rows: Sequence[JournalRow] | None
) -> Iterator[EpochAudit]:
    order, size = setup.order, setup.order.steps_per_epoch
    for line in lines:
        number = line["epoch"]
        planned = range(number * size, (number + 1) * size)
        taken = planned if rows is None else [row.batch for row in rows[number * size : (number + 1) * size]]
        ledger, count, different = expected(setup.stream, number, taken)
        left, extra = Counter(planned), Counter(taken)
        left.subtract(taken), extra.subtract(planned)
        missing = max(sum(order.size(step) for step in (+left).elements()), count - line["samples"])
        repeated = max(sum(order.size(step) for step in (+extra).elements()), line["samples"] - count)
        shown = different if setup.sampling == BALANCED else None
        yield EpochAudit(number, line["samples"], missing, repeated, line["ledger"], ledger, shown)
