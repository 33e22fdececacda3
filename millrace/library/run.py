"""A run, opened: what it measured, its checkpoints, its network."""

import dataclasses
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from millrace.arguments import path_text
from millrace.datasets import Progress
from millrace.errors import CheckpointError
from millrace.library import finding, networks, resolving
from millrace.library.networks import TrainedNetwork
from millrace.model import Checkpoint, load
from millrace.runs import RunFolder, read_lines
from millrace.settings.layers import Settings
from millrace.values import whole
from millrace.workers import Event, Observer

if TYPE_CHECKING:
    from millrace.library.auditing import Audit
    from millrace.library.profiling import Profile
    from millrace.library.replaying import Replay


def open_run(run: str | os.PathLike[str]) -> "Run":
    """The run in this folder or at this address, with this name in the data folder, or the `latest`; it need not be
    finished, and may be in training elsewhere. Errors: UsageError where none lies there."""
    return Run(finding.open_folder(path_text("run", run, finding.RUN)))


class Run:
    """A run's folder, read. Its files are read when they are asked for, so a run in training shows its newest lines.

    At an address `path` is a working copy, as new as the call that opened it."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"Run({self.location!r})"

    @property
    def location(self) -> str:
        """The run's folder, absolute, or its address."""
        return self._folder.location

    @property
    def path(self) -> Path:
        """The folder on this machine that holds the run's files."""
        return self._folder.path

    @property
    def finished(self) -> bool:
        """Whether the last step was made and the result written."""
        return self._folder.finished

    @property
    def result(self) -> dict[str, Any] | None:
        """What came out: step, seconds, test_accuracy (a fraction) and test_loss (nats; both None where the test set
        was not looked at), reproducible, and so on. None before the end."""
        return self._folder.result() if self.finished else None

    @cached_property
    def config(self) -> Settings:
        """What the run was begun with: its job, and the place that it had."""
        return finding.settings_of(self._folder)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """A line per step, as metrics.jsonl holds them: step, epoch (both from 0), loss (mean over the batch before the
        update, nats), accuracy (a fraction), rate, samples_per_second, waiting (a fraction of the workers' time); of a
        stale run also staleness (versions)."""
        return read_lines(self._folder.metrics)

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """A line per epoch, as epochs.jsonl holds them: the means of its steps, validation_loss and
        validation_accuracy (None without such a split), seconds, samples, ledger (sha256 of what was trained on)."""
        return read_lines(self._folder.epochs)

    @property
    def incidents(self) -> list[dict[str, Any]]:
        """What went wrong and was survived: time (seconds since 1970), step, kind, who, node, cause."""
        return read_lines(self._folder.incidents)

    def note_incident(self, kind: str, cause: str) -> None:
        """Write down in incidents.jsonl what happened to the run at its newest checkpoint."""
        self._folder.note_incident(kind, "", "", cause, max(self.checkpoints, default=0))
        self._folder.publish(self._folder.incidents.name)

    def curves(self) -> dict[str, npt.NDArray[np.float64]]:
        """The numbers of `epochs` by name, each float64 (epochs,); NaN where an epoch has none."""
        epochs = self.epochs
        names = [name for name in (epochs[0] if epochs else {}) if name != "ledger"]
        return {name: np.array([_number(line.get(name)) for line in epochs], np.float64) for name in names}

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """The steps whose checkpoints are there, ascending; a checkpoint of step s has s updates in it."""
        return tuple(int(path.name.removeprefix("step-")) for path in self._folder.checkpoints())

    def checkpoint(self, step: int | None = None) -> Checkpoint:
        """The checkpoint of this step; by default the best one, where early stopping keeps one, else the newest that is
        whole. Errors: CheckpointError where there is none, or it is damaged."""
        if step is None:
            return networks.newest(self._folder)
        step = whole("step", step, 0)
        for path in self._folder.checkpoints():
            if path.name == f"step-{step:010d}":
                return load(path)
        steps = ", ".join(map(str, self.checkpoints)) or "none"
        raise CheckpointError("no checkpoint of this step", expected=steps, got=step)

    def network(self, step: int | None = None) -> TrainedNetwork:
        """The network of `checkpoint(step)`, to predict with. Errors: as there."""
        return networks.of_checkpoint(self.checkpoint(step), self.path, self.location)

    def profile(self) -> "Profile":
        """Where its time went, role by role, and what holds it back: as `millrace profile`. Errors: UsageError where
        nothing was measured yet, or it is a run of an older release."""
        from millrace.library.profiling import read_profile

        return read_profile(self._folder)

    def audit(self, *, progress: Progress | None = None, **place: Any) -> "Audit":
        """Make the data of every finished epoch once more and compare it with the run's ledger: as `millrace audit`.
        place: `mirror`, `offline`."""
        from millrace.library.auditing import audit

        settings = resolving.for_run(self.path, resolving.layer_of(place))
        return audit(self._folder, settings.job, resolving.dataset_of(settings, progress))

    def replay(self, *, observer: Observer | None = None, progress: Progress | None = None, **place: Any) -> "Replay":
        """Compute the run again up to its newest checkpoint and compare every byte: as `millrace replay`. observer:
        called with the events of that training. place: `workers`, `mirror`, `offline`, and so on."""
        from millrace.library.replaying import replay

        settings = resolving.for_run(self.path, resolving.layer_of(place))
        chosen = settings.place if "workers" in place else dataclasses.replace(settings.place, workers=0)
        dataset = resolving.dataset_of(settings, progress)
        return replay(self._folder, settings.job, dataset, chosen, observer or _ignore)

    def report(self, *, progress: Progress | None = None, **place: Any) -> Path:
        """Write report.html into the run's folder, finished or not, and give its path: as `millrace report`. The
        dataset is loaded; place: `mirror`, `offline`. Errors: CheckpointError before the first checkpoint."""
        return self.write_report(resolving.for_run(self.path, resolving.layer_of(place)), progress)

    def write_report(self, settings: Settings, progress: Progress | None = None) -> Path:
        """`report`, with the data from where the settings say."""
        from millrace.library.reporting import write_report  # pictures take their time to import

        dataset = resolving.dataset_of(settings, progress)
        return write_report(self._folder, settings.job, dataset)


def _ignore(event: Event) -> None:
    """What a replay reports is of no interest where nobody asks."""


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
