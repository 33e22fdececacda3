"""Training: what `train` and `resume` have in common, from the dataset to the last line."""

import contextlib
import dataclasses
import functools
import threading
import warnings
from collections.abc import Callable, Iterator

from millrace import datasets
from millrace.commands.downloads import Downloads
from millrace.commands.run_display import RunDisplay
from millrace.commands.screen import Screen
from millrace.commands.stopping import Stopping
from millrace.config import Config
from millrace.datasets import Dataset
from millrace.model import Checkpoint
from millrace.reports.words import accuracy_line, argument, duration, short, size
from millrace.runs.folder import RunFolder
from millrace.workers.events import Observer, RunDone
from millrace.workers.local_training import train
from millrace.workers.setup import Setup

FILES = (
    ("report.html", "curves, confusion, mistakes, configuration: one page"),
    ("config.yaml", "the resolved configuration"),
    ("metrics.jsonl", "loss, accuracy, rate, speed of every step"),
    ("epochs.jsonl", "the same for every epoch, and the validation"),
    ("checkpoints/", "weights and optimizer, to evaluate or to go on from"),
)


Train = Callable[[RunFolder, Observer, threading.Event, Checkpoint | None], RunDone]


def carry_out(screen: Screen, config: Config, take: Callable[[], RunFolder]) -> int:
    """Train from the newest checkpoint of the folder that `take` gives, or from the start, to the end or to a stop.

    The folder is taken last: what cannot be trained leaves none behind."""
    with _runtime(screen, config) as (dataset, train):
        setup = Setup(config.job(), dataset)
        setup.check()  # what does not fit is refused before there is a folder
        model = setup.network.text
        folder = take()
        folder.own()
        try:
            checkpoint = folder.latest(dataset_digest=dataset.digest, model=model)
            # Sums that overflow end the run with an error that names the step; NumPy need not warn of them before.
            warnings.filterwarnings("ignore", category=RuntimeWarning, message=".*encountered in matmul")
            with Stopping() as stopping, RunDisplay(screen, config, dataset.spec.name, stopping) as display:
                done = train(folder, display, stopping.event, checkpoint)
            if not done.stopped:
                _picture(config, setup, dataset, folder)
        finally:
            folder.release()
    if done.stopped:
        return _stopped(screen, folder, done, stopping)
    _results(screen, config, folder, done)
    screen.say(_last_line(done.test_accuracy), style="bold")
    return 0


def _picture(config: Config, setup: Setup, dataset: Dataset, folder: RunFolder) -> None:
    """The report; before it the decision regions, where the data lies in the plane."""
    from millrace.commands.reporting import write_report  # pictures take their time to import

    checkpoint = folder.best() or folder.latest()
    if checkpoint is not None and dataset.spec.format == "points":
        from millrace.commands.regions import draw_regions

        folder.publish(draw_regions(setup, dataset, checkpoint, folder.path).name)
    write_report(folder, config, dataset)


@contextlib.contextmanager
def _runtime(screen: Screen, config: Config) -> Iterator[tuple[Dataset, Train]]:
    """The data and the way to train on it: threads of this process, or actors on a Ray that is connected meanwhile."""
    if config.runtime == "ray":
        from millrace.workers.ray_runtime.session import (
            session,  # Ray takes half a second to import: only where it is asked for
        )

        with session(config.job(), config.place(), screen.note) as ray:
            yield ray.dataset, ray.train
        return
    with Downloads(screen) as progress:
        spec = datasets.find(config.dataset)
        dataset = datasets.load(spec, mirror=config.mirror, offline=config.offline, progress=progress)
    yield dataset, functools.partial(_train_here, config, dataset)


def _train_here(
    config: Config,
    dataset: Dataset,
    folder: RunFolder,
    observer: Observer,
    stop: threading.Event,
    checkpoint: Checkpoint | None,
) -> RunDone:
    return train(config.job(), config.place(), dataset, folder, observer, stop, checkpoint)


def already_done(screen: Screen, config: Config, folder: RunFolder) -> int:
    """Say what came out of a run that is finished."""
    result = folder.result()
    screen.record(event="finished_before", folder=folder.location, **result)
    screen.say(f"this run is finished: {short(folder.location)}")
    screen.say("to train again, give another --out or change the configuration", style="dim")
    screen.say(_last_line(result["test_accuracy"]), style="bold")
    return 0


def _last_line(accuracy: float | None) -> str:
    return "the test set was not looked at" if accuracy is None else accuracy_line(accuracy)


def _stopped(screen: Screen, folder: RunFolder, done: RunDone, stopping: Stopping) -> int:
    screen.say()
    screen.facts(
        ("stopped", f"after {done.step:,} steps; the checkpoint is written"),
        ("go on", f"millrace resume {argument(folder.location)}"),
    )
    return stopping.code


def _results(screen: Screen, config: Config, folder: RunFolder, done: RunDone) -> None:
    """Where the run's files lie and what to do next."""
    screen.say()
    screen.facts(("time", duration(done.seconds)))
    if done.copied_per_step:
        screen.facts(("copied", f"{size(done.copied_per_step)} per step between processes"))
    screen.facts(("run", folder.location if config.runtime == "ray" else short(folder.location)))
    for name, what in FILES:
        screen.facts(("", f"{name:<15} {what}"))
    path = argument(folder.location)
    screen.facts(
        ("next", f"millrace evaluate {path}"),
        ("", f"millrace preview --dataset {config.dataset}"),
    )


def kept(config: Config) -> Config:
    """The configuration as the run's folder keeps it: `train` takes the file again and makes a new run of it."""
    return dataclasses.replace(config.resolved(), out=None)
