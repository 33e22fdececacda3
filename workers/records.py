"""What a run writes down as it goes on: a line a step, one an epoch, a stale run's journal; cut back together."""

import hashlib
import json
from collections.abc import Mapping

from millrace.model import Checkpoint
from millrace.pipeline import Policy
from millrace.runs import Journal, JournalRow, JsonLines, RunFolder, RunIdentity
from millrace.workers.events import StepDone
from millrace.workers.job import Job
from millrace.workers.setup import Setup


class Records:
    """The run's files, to go on from a checkpoint (None: from the start): what is of later steps is cut. Errors: as
    `Journal`, before anything is cut."""

    def __init__(self, setup: Setup, folder: RunFolder, checkpoint: Checkpoint | None) -> None:
        self._folder, step = folder, checkpoint.step if checkpoint else 0
        self._journal = _journal(setup, folder, checkpoint) if setup.job.stale else None
        self._steps = JsonLines(folder.metrics, "step", step)
        self._epochs = JsonLines(folder.epochs, "epoch", step // setup.order.steps_per_epoch)
        journal = () if self._journal is None else (self._journal,)
        self._open: tuple[JsonLines | Journal, ...] = (self._steps, self._epochs, *journal)

    @property
    def digest(self) -> str | None:
        """Of the journal, for a checkpoint; None where there is none."""
        return self._journal.digest if self._journal is not None else None

    @property
    def staleness(self) -> dict[int, int]:
        """How many updates were of weights so many versions old."""
        return dict(sorted(self._journal.staleness.items())) if self._journal is not None else {}

    def step(self, done: StepDone, row: JournalRow | None) -> None:
        """A finished step."""
        self._steps.write({name: value for name, value in vars(done).items() if value is not None})
        if self._journal is not None and row is not None:
            self._journal.write(row)

    def epoch(self, line: Mapping[str, object]) -> None:
        """A finished epoch; the system has it, after the journal, which it is held against."""
        if self._journal is not None:
            self._journal.flush()
        self._epochs.write(line)
        self._epochs.flush()

    def flush(self) -> None:
        """Hand the steps to the system, so that a `kill -9` of this process loses none of them."""
        self._steps.flush()
        if self._journal is not None:
            self._journal.flush()

    def sync(self) -> None:
        """Have the journal on the disk: a checkpoint is of no use to a replay without it."""
        if self._journal is not None:
            self._journal.sync()

    def close(self) -> None:
        """Flush all to the disk and close, once; nothing is written where the run is another driver's by now."""
        files, self._open = self._open, ()
        for file in files:
            file.abandon() if self._folder.lost else file.close()


def identity(setup: Setup) -> RunIdentity:
    """What a run's journal knows it by: its recipe and its data."""
    recipe, data = setup.job.recipe, setup.dataset.digest
    text = json.dumps([recipe, data], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return RunIdentity({**_flat(recipe), "data": data}, _flat(Job(policy=Policy()).recipe), digest)


def _flat(values: Mapping[str, object], before: str = "") -> dict[str, object]:
    """Nested options by dotted names."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return found


def _journal(setup: Setup, folder: RunFolder, checkpoint: Checkpoint | None) -> Journal:
    if checkpoint is None:
        return Journal(folder.journal, identity(setup))
    return Journal(folder.journal, identity(setup), checkpoint.step, checkpoint.state.get("journal"))
