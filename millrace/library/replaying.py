"""Replay: a run computed again from its first weights, and held against what it has written down."""

import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from millrace.datasets import Dataset
from millrace.errors import CheckpointError
from millrace.model import Checkpoint, Floats, differences, fingerprint
from millrace.runs import JournalRows, RunFolder, each_line, read_journal, staleness
from millrace.workers import Job, Notice, Observer, Place, Setup, identity, replay_here

STEP_KEYS = ("step", "epoch", "loss", "accuracy", "rate", "staleness")
EPOCH_KEYS = (
    "epoch",
    "step",
    "loss",
    "accuracy",
    "rate",
    "validation_loss",
    "validation_accuracy",
    "samples",
    "ledger",
)
RESULT_KEYS = ("test_loss", "test_accuracy", "correct", "count", "best_epoch", "stopped_early")


@dataclass(frozen=True)
class Replay:
    """step: of the run's newest checkpoint; replayed: how many of its steps were computed again, fewer where it was
    stopped, or ended sooner, which differs. different: what differs, in words; nothing where all bytes are the same.
    staleness: how many updates were of weights so many versions old; empty where the run is not stale."""

    step: int
    replayed: int
    different: tuple[str, ...]
    staleness: Mapping[int, int]

    @property
    def same(self) -> bool:
        """Whether the run was computed again, whole, in the same bytes."""
        return self.step == self.replayed and not self.different


def replay(
    folder: RunFolder, job: Job, dataset: Dataset, place: Place, observer: Observer, stop: threading.Event | None = None
) -> Replay:
    """Compute the run again up to its newest checkpoint, in a temporary folder, and compare weights, the optimizer's
    state, measures of every step and epoch, ledger and result.

    A stale run needs its journal; any other follows from its configuration. place: workers, read-ahead. observer: as
    of a training. Errors: CheckpointError where there is no checkpoint, or no journal that reaches up to it.
    """
    setup, stop = Setup(job, dataset), stop or threading.Event()
    kept = folder.latest(dataset_digest=dataset.digest, model=setup.network.text)
    if kept is None:
        raise CheckpointError(f"{folder.location} has no checkpoint yet", do="wait for the first one")
    rows = JournalRows()
    if job.stale:
        rows = read_journal(folder.journal, identity(setup), kept.step, kept.state.get("journal"))
    for difference in differences(fingerprint(), kept.fingerprint):
        observer(Notice(f"another environment than the checkpoint's: {difference}; bits may differ"))
    # Asked once: a run in training may come to its end meanwhile.
    finished = folder.finished
    tested = finished and folder.result().get("test_accuracy") is not None
    place = replace(place, runtime="local", address=None, servers=1, out=None, checkpoint_every=86400.0, test=tested)
    with tempfile.TemporaryDirectory(prefix="millrace-replay-") as scratch:
        again = RunFolder.create(Path(scratch) / "run", folder.config_text())
        again.own()
        try:
            done = replay_here(setup, place, again, observer, stop, kept.step, rows)
            found = again.latest()
            different: tuple[str, ...] = ()
            if done.step == kept.step and found is not None:
                different = tuple(_differences(folder, kept, again, found, finished))
            elif not stop.is_set():
                different = (f"the run has {kept.step:,} steps, the replay ended by itself after {done.step:,}",)
        finally:
            again.release()
    return Replay(kept.step, done.step, different, staleness(rows))


def _differences(
    ours: RunFolder, kept: Checkpoint, theirs: RunFolder, found: Checkpoint, finished: bool
) -> Iterator[str]:
    """What differs between a run and its replay, in words. finished: whether ours had its result when theirs began."""
    yield from _arrays("weights", kept.weights, found.weights)
    for name in sorted({*kept.optimizer, *found.optimizer}):
        yield from _arrays(f"the optimizer's {name}", kept.optimizer.get(name), found.optimizer.get(name))
    for name in ("epoch_loss", "epoch_correct", "epoch_samples", "ledger"):
        yield from _value(f"the checkpoint's {name}", kept.state.get(name), found.state.get(name))
    per_epoch = (line for line in each_line(ours.epochs) if line["step"] < kept.step)
    per_step = islice(each_line(ours.metrics), kept.step)
    yield from _lines(ours.metrics.name, STEP_KEYS, per_step, each_line(theirs.metrics))
    yield from _lines(ours.epochs.name, EPOCH_KEYS, per_epoch, each_line(theirs.epochs))
    best, best_again = ours.best(), theirs.best()
    if best is not None and best.step <= kept.step:
        yield from _arrays("the best weights", best.weights, None if best_again is None else best_again.weights)
    if finished and theirs.finished:
        first, second = ours.result(), theirs.result()
        for name in RESULT_KEYS:
            yield from _value(f"the result's {name}", first.get(name), second.get(name))


def _arrays(name: str, ours: Floats | None, theirs: Floats | None) -> Iterator[str]:
    if ours is None or theirs is None or ours.shape != theirs.shape:
        yield f"{name}: of another kind"
    elif ours.tobytes() != theirs.tobytes():
        wrong = int(np.count_nonzero(ours.view(np.uint32) != theirs.view(np.uint32)))
        yield f"{name}: {wrong:,} of {len(ours):,} numbers, by up to {float(np.abs(ours - theirs).max()):.3g}"


def _lines(
    file: str, keys: tuple[str, ...], ours: Iterable[dict[str, Any]], theirs: Iterable[dict[str, Any]]
) -> Iterator[str]:
    """The first line of a file that differs."""
    for number, (first, second) in enumerate(zip_longest(ours, theirs, fillvalue=dict[str, Any]())):
        wrong = [key for key in keys if first.get(key) != second.get(key)]
        if wrong:
            key = wrong[0]
            yield f"{file}, line {number + 1}: {key} {first.get(key)}, replayed {second.get(key)}"
            return


def _value(name: str, ours: object, theirs: object) -> Iterator[str]:
    if ours != theirs:
        yield f"{name}: {ours}, replayed {theirs}"
