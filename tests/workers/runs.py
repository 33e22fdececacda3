"""Runs small enough for tests: some of the embedded digits, a small network, steps with a short last batch."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from millrace import datasets
from millrace.model import NetworkOptions, OptimizerOptions, ScheduleOptions
from millrace.pipeline.policy import preset
from millrace.runs.folder import RunFolder
from millrace.workers import local_training
from millrace.workers.events import Event, RunDone, RunStarted, StepDone
from millrace.workers.job import Job, Place
from millrace.workers.local_runtime import LocalRuntime
from millrace.workers.setup import Setup
from millrace.workers.stale_runtime import StaleRuntime

Kind = TypeVar("Kind")

# 70 samples in batches of 32: 3 steps an epoch, the last of 6 samples; slots of 8: 4, 4 and 1 of them.
JOB = Job(
    dataset="digits",
    epochs=4,
    batch=32,
    slot_size=8,
    seed=7,
    subset=70,
    policy=preset("digits"),
    network=NetworkOptions(hidden=(12,)),
    optimizer=OptimizerOptions(),
    schedule=ScheduleOptions(),
)
STEPS_PER_EPOCH, STEPS = 3, 12
VALIDATING = replace(JOB, subset=90, validation=20)


@cache
def digits() -> datasets.Dataset:
    """The embedded dataset."""
    return datasets.load(datasets.find("digits"))


@dataclass
class Watch:
    """An observer that keeps what it sees and does something of its own at each event."""

    also: Callable[[Event], None] = lambda event: None
    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self.also(event)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def train(
    path: Path,
    job: Job = JOB,
    place: Place | None = None,
    *,
    until: int | None = None,
    watch: Watch | None = None,
    dataset: datasets.Dataset | None = None,
) -> RunDone:
    """Begin the run in this folder, or go on with it; to its end, or to a stop after exactly `until` steps."""
    folder = RunFolder.open(path) if RunFolder.is_run(path) else RunFolder.create(path, "epochs: 4\n")
    watch, stop, place = watch or Watch(), threading.Event(), place or Place(workers=2)

    class Limited(LocalRuntime):
        """Allows no step from `until` on."""

        def allow(self, limit: int) -> None:
            super().allow(limit if until is None else min(limit, until))

    class LimitedStale(Limited, StaleRuntime):
        """The same for a stale run."""

    def observer(event: Event) -> None:
        watch(event)
        steps = {StepDone: 1, RunStarted: 0}.get(type(event))
        if until is not None and steps is not None and event.step + steps >= until:  # type: ignore[union-attr]
            stop.set()

    folder.own()
    try:
        stale = patch.object(local_training, "StaleRuntime", LimitedStale)
        with patch.object(local_training, "LocalRuntime", Limited), stale:
            return local_training.train(Setup(job, dataset or digits()), place, folder, observer, stop, folder.latest())
    finally:
        folder.release()


def weights(path: Path) -> bytes:
    """The weights of the newest checkpoint, as they lie on the disk."""
    return (RunFolder.open(path).checkpoints()[-1] / "weights.safetensors").read_bytes()


def optimizer(path: Path) -> bytes:
    """The optimizer's state of the newest checkpoint, as it lies on the disk."""
    return (RunFolder.open(path).checkpoints()[-1] / "optimizer.safetensors").read_bytes()


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]
