"""Many runs: each in a folder of its own, none done twice, whoever computes them."""

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace import datasets
from millrace.datasets import Dataset, Reading
from millrace.errors import CheckpointError, Diverged
from millrace.runs import RunFolder
from millrace.storage import faults, write_whole
from millrace.workers.events import Event
from millrace.workers.job import Job, Place
from millrace.workers.local_training import train
from millrace.workers.setup import Setup

BROKEN = "broken.txt"


@dataclass(frozen=True)
class Trial:
    """One run of a series. name: for people; config: the text of its config.yaml."""

    name: str
    job: Job
    place: Place
    folder: Path
    config: str


def dataset_of(trial: Trial) -> Dataset:
    """The trial's data, fetched if need be."""
    return datasets.load(
        datasets.find(trial.job.dataset, trial.job.reading), mirror=trial.place.mirror, offline=trial.place.offline
    )


def carry_out(trial: Trial, dataset: Dataset, stop: threading.Event) -> bool:
    """Train the trial to its end, from where it stands; whether it is done (not, where `stop` was set).

    A run whose loss overflows is done too, see `broken`. It would break down again at the same step."""
    known = RunFolder.is_run(trial.folder)
    folder = RunFolder.open(trial.folder) if known else RunFolder.create(trial.folder, trial.config)
    if folder.finished or broken(trial):
        return True
    folder.own()
    # Sums that overflow end the run with an error that names the step; NumPy need not warn of them before.
    warnings.filterwarnings("ignore", category=RuntimeWarning, message=".*encountered in matmul")
    try:
        train(
            Setup(trial.job, dataset), trial.place, folder, _ignore, stop, folder.latest(dataset_digest=dataset.digest)
        )
    except Diverged as error:
        with faults(f"the note {trial.folder / BROKEN}", "cannot be written", CheckpointError):
            write_whole(trial.folder / BROKEN, f"{error}\n".encode())
        return True
    finally:
        folder.release()
    return folder.finished


def broken(trial: Trial) -> bool:
    """Whether the trial's loss overflowed, so that it never ends."""
    return (trial.folder / BROKEN).is_file()


def one_by_one(trials: Sequence[Trial], stop: threading.Event, load: Callable[[Trial], Dataset]) -> Iterator[Trial]:
    """The trials in this process, each as it is finished; ends early where `stop` is set."""
    kept: dict[tuple[str, Reading], Dataset] = {}
    for trial in trials:
        if stop.is_set():
            return
        source = trial.job.dataset, trial.job.reading
        if source not in kept:
            kept[source] = load(trial)
        if carry_out(trial, kept[source], stop):
            yield trial


def _ignore(event: Event) -> None:
    """What a single run reports is of no interest here."""
