"""Train and resume: from the dataset to the report in the run's folder, without a word on a screen."""

import contextlib
import dataclasses
import functools
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from millrace.arguments import called, event, path_text
from millrace.datasets import Progress
from millrace.errors import OptionError, ReportError, UsageError
from millrace.extras import MissingExtra, extras_named
from millrace.library import finding, resolving
from millrace.library.interrupts import checkpoint_first
from millrace.library.run import Run
from millrace.model import Checkpoint
from millrace.reports.words import short
from millrace.runs import RunFolder, is_address
from millrace.settings import config_file
from millrace.settings.layers import Settings
from millrace.workers import Event, Notice, Observer, Place, RunDone, Setup
from millrace.workers import train as train_here

LOG = logging.getLogger("millrace")
LOG.addHandler(logging.NullHandler())

Train = Callable[[RunFolder, Observer, threading.Event, Checkpoint | None], RunDone]


@dataclasses.dataclass(frozen=True)
class Watched:
    """Who watches a run: `observer` is called with each event, `progress` while a dataset is fetched; `stop` ends it
    with a checkpoint."""

    observer: Observer
    stop: threading.Event
    progress: Progress | None = None

    @classmethod
    def of(cls, observer: Any, stop: Any, progress: Any) -> "Watched":
        """From the arguments of a call. Errors: OptionError for what cannot be called, or is no event."""
        return cls(
            log if observer is None else called("observer", observer, "an event"),
            threading.Event() if stop is None else event("stop", stop),
            None if progress is None else called("progress", progress, "a file, the bytes so far, and all or None"),
        )


def log(told: Event) -> None:
    """The observer of a call that names none: notices go to the logger `millrace`."""
    if isinstance(told, Notice):
        LOG.warning(told.text)


def train(
    dataset: str | os.PathLike[str] | None = None,
    *,
    config: Settings | str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Train a network, to the end or until `stop` is set, and give its run: as `millrace train`, in the same bytes.

    dataset: a name, the YAML file of one's own, or the folder of an export (default: digits). config: a YAML file to
    start from. settings: any key of the configuration over that: `epochs=20`, `batch=256`, `seed=1`, `out="runs/a"`,
    `policy=Policy(rotate=15)`, `network={"hidden": [64]}`, `optimizer={"name": "adam", "rate": 1e-3}`. Without `out`
    the run lies in a new folder of the data folder. Where `out` holds a run of the same recipe, that goes on from its
    newest checkpoint; a finished one is not trained again.

    observer: called with each event of `workers.events`, in order, by the calling thread; by default notices go to the
    logger `millrace`. stop: set it from anywhere, and a checkpoint is written before the call returns (`run.finished`
    is False then, `resume` goes on).
    Ctrl-C in the main thread does so too, and KeyboardInterrupt is raised after.
    progress: called with (file, bytes so far, bytes in all or None) while a dataset is fetched.

    Errors: UsageError for what cannot be trained, before there is a folder; TrainingError where the loss is no number
    any more; DataError where the data cannot be had.
    """
    given = settings if dataset is None else {"dataset": dataset, **settings}
    return start(resolving.for_call(config, given), Watched.of(observer, stop, progress))


def resume(
    run: str | os.PathLike[str],
    *,
    observer: Observer | None = None,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    **place: Any,
) -> Run:
    """Go on with a run from its newest checkpoint, to the end or until `stop` is set: as `millrace resume`. It ends in
    the same weights, bit for bit, as if it had never stopped; a stale run in others, by the order in which its updates
    come, which its journal keeps. A finished run is given as it is.

    run: folder or address, the name of a run in the data folder, or `latest`. place: keys that decide no bit
    (`workers=2`, `runtime="ray"`, `mirror=…`); the others as for `train`.

    Errors: UsageError where no run lies there, another process trains it, or a key of the recipe or `out` is given.
    """
    if "out" in place:
        raise UsageError("a run goes on in its own folder", got=f"out {place['out']}", do="leave out `out`")
    folder = finding.open_folder(path_text("run", run, finding.RUN))
    settings = resolving.for_run(folder.path, resolving.layer_of(place))
    return go_on(folder, settings, Watched.of(observer, stop, progress))


def start(settings: Settings, watched: Watched) -> Run:
    """`train` of a configuration: a new run, or the one of the same recipe that lies in its `out`."""
    settings = _stated(settings)
    job, out = settings.job, settings.place.out  # what a job refuses is refused before a folder is made
    _check_trace(settings.place)
    text = config_file.write(job, dataclasses.replace(settings.place, out=None, trace=None))
    if out is None:
        return _carry_out(
            settings, lambda: RunFolder.create(finding.new_folder(job.dataset, datetime.now()), text), watched
        )
    location = out if is_address(out) else Path(os.path.expanduser(out))
    if not RunFolder.is_run(location):
        return _carry_out(settings, lambda: RunFolder.create(location, text), watched)
    folder = RunFolder.open(location)
    same_recipe(folder, settings)
    if folder.finished:
        return Run(folder)
    watched.observer(Notice(f"going on with the run in {short(folder.location)}"))
    return _carry_out(settings, lambda: folder, watched)


def go_on(folder: RunFolder, settings: Settings, watched: Watched) -> Run:
    """`resume` of the run in this folder, in the place that the settings say."""
    _check_trace(settings.place)
    for source in resolving.ignored():
        watched.observer(Notice(f"{source} is ignored: a run keeps its recipe"))
    return Run(folder) if folder.finished else _carry_out(settings, lambda: folder, watched)


def _check_trace(place: Place) -> None:
    """Refuse a trace that could not be written at the end, before anything is computed."""
    if place.trace is None:
        return
    path = Path(os.path.expanduser(place.trace))
    if path.is_dir() or not path.parent.is_dir():
        got = "a folder" if path.is_dir() else f"no folder {short(path.parent)}"
        raise OptionError("trace", "cannot be written there", expected="a file in a folder that there is", got=got)


def same_recipe(folder: RunFolder, settings: Settings) -> None:
    """Refuse to mix two recipes in one folder: UsageError says in which keys they differ."""
    different = finding.changes(finding.settings_of(folder).job, settings.job)
    if different:
        raise UsageError(
            f"{short(folder.location)} holds a run of another recipe",
            expected="the same recipe",
            got="; ".join(different[:5]) + (" …" if len(different) > 5 else ""),
            do="choose another `out`, or go on with that run: `millrace.resume`",
        )


def _carry_out(settings: Settings, take: Callable[[], RunFolder], watched: Watched) -> Run:
    """Train from the newest checkpoint of the folder that `take` gives, or from the start.

    The folder is taken last: what cannot be trained leaves none behind."""
    with _runtime(settings, watched) as (setup, begin):
        setup.check()
        folder = take()
        folder.own()
        try:
            checkpoint = folder.latest(dataset_digest=setup.dataset.digest, model=setup.network.text)
            with checkpoint_first(watched.stop), warnings.catch_warnings():
                # Sums that overflow end the run with an error that names the step; NumPy need not warn of them before.
                warnings.filterwarnings("ignore", category=RuntimeWarning, message=".*encountered in matmul")
                done = begin(folder, watched.observer, watched.stop, checkpoint)
                if not done.stopped:
                    _picture(setup, folder, watched.observer)
        finally:
            folder.release()
    return Run(folder)


def _picture(setup: Setup, folder: RunFolder, observer: Observer) -> None:
    """The report, or a notice of what it needs: a run that is finished does not fail for want of a picture, or of room
    for one."""
    try:
        with extras_named():
            _report(setup, folder)
    except (MissingExtra, ReportError) as error:
        then = f"`millrace.open_run({str(folder.location)!r}).report()`"
        first = f"{error.do}, then " if error.do else ""
        observer(Notice(f"no report was written: {error.what}; {first}{then}"))


def _report(setup: Setup, folder: RunFolder) -> None:
    """The report; before it the decision regions, where the data lies in the plane."""
    from millrace.library.reporting import write_report  # pictures take their time to import

    checkpoint = folder.best() or folder.latest()
    if checkpoint is not None and setup.dataset.spec.prepare == "points":
        from millrace.library.regions import draw_regions

        folder.publish(draw_regions(setup, setup.dataset, checkpoint, folder.path).name)
    write_report(folder, setup.job, setup.dataset)


@contextlib.contextmanager
def _runtime(settings: Settings, watched: Watched) -> Iterator[tuple[Setup, Train]]:
    """The parts of the run and what trains it: threads of this process, or actors of a Ray connected meanwhile."""
    if settings.place.runtime == "ray":
        with extras_named():  # Ray takes half a second to import: only where it is asked for
            from millrace.workers.ray_runtime.session import session

        with session(settings.job, settings.place, lambda text: watched.observer(Notice(text))) as ray:
            yield ray.setup, ray.train
        return
    dataset, place = resolving.dataset_of(settings, watched.progress), settings.place
    if place.stream is None:
        setup = Setup(settings.job, dataset)
    else:
        from millrace.library import streamed

        setup = streamed.setup(settings.job, dataset, place)
        if place.augmenters is None:
            place = dataclasses.replace(place, augmenters=streamed.FETCHERS)
    yield setup, functools.partial(train_here, setup, place)


def _stated(settings: Settings) -> Settings:
    """The settings, with the recipe of the service that they name, if they do."""
    if settings.place.stream is None:
        return settings
    from millrace.library import streamed  # Flight takes its time to import

    return streamed.stated(settings)
