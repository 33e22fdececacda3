"""A stale run whose server is lost goes back to its newest checkpoint, as a run that goes on does."""

import dataclasses
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from millrace.library.auditing import audit
from millrace.library.replaying import replay
from millrace.model import RegularizationOptions
from millrace.runs.folder import RunFolder
from millrace.runs.stages import Spent
from millrace.workers.checkpoints import server_state
from millrace.workers.events import CheckpointWritten, Notice, Reporter
from millrace.workers.job import Place
from millrace.workers.parameter_server import ServerState, Update
from millrace.workers.runtime import Rewound
from millrace.workers.setup import Setup
from millrace.workers.stale_runtime import StaleRuntime
from millrace.workers.trainer import Trainer
from tests.workers.runs import JOB, VALIDATING, Watch, digits, lines

FOUR = Place(workers=4, checkpoint_every=0.02)


class Losing:
    """Threads, whose server is lost at some of the trainer's calls and is there again at the newest checkpoint."""

    augmenters = copied = 0
    workers = cores = 4
    kind = "local"

    def __init__(self, setup: Setup, folder: RunFolder, at: tuple[int, ...]) -> None:
        self._setup, self._folder, self._at, self._calls = setup, folder, at, 0
        self._inner = StaleRuntime(setup, FOUR)

    def _call(self) -> None:
        self._calls += 1
        if self._calls in self._at:
            self._inner.close()
            kept = self._folder.latest()
            self._inner = StaleRuntime(self._setup, FOUR, server_state(kept) if kept is not None else None)
            self._inner.start()
            raise Rewound

    def start(self) -> None:
        self._inner.start()

    def allow(self, limit: int) -> None:
        self._call()
        self._inner.allow(limit)

    def cut(self, epochs: Sequence[int]) -> None:
        self._inner.cut(epochs)

    def finished(self, timeout: float) -> list[Update]:
        self._call()
        return self._inner.finished(timeout)

    def snapshot(self) -> ServerState:
        self._call()
        return self._inner.snapshot()

    def spent(self) -> dict[str, Spent]:
        return self._inner.spent()

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize(
    ("changes", "at"),
    [({}, (1, 3, 8)), ({"validation": 20, "subset": 90}, (2, 5, 6, 7, 15)), ({"early": 2}, (4, 9, 10, 11))],
    ids=["plain", "validating", "early"],
)
def test_the_run_goes_on_from_there(tmp_path: Path, changes: dict[str, object], at: tuple[int, ...]) -> None:
    job = dataclasses.replace(JOB, staleness="unbounded", batch=4, slot_size=4)
    if changes.pop("early", None):
        job = dataclasses.replace(job, subset=VALIDATING.subset, validation=20)
        job = dataclasses.replace(job, epochs=8, regularization=RegularizationOptions(early_stopping=2))
    job = dataclasses.replace(job, **changes)  # type: ignore[arg-type]
    setup, folder, watch = Setup(job, digits()), RunFolder.create(tmp_path / "run", "epochs: 4\n"), Watch()
    folder.own()
    runtime = Losing(setup, folder, at)
    try:
        done = Trainer(setup, FOUR, runtime, folder, Reporter(watch), threading.Event()).run()
    finally:
        runtime.close()
        folder.release()
    assert folder.finished
    assert sum("goes on from step" in notice.text for notice in watch.of(Notice)) == len(at)
    assert watch.of(CheckpointWritten)
    assert [line["step"] for line in lines(folder.metrics)] == list(range(done.step))
    assert not audit(folder, job, digits()).wrong
    assert replay(folder, job, digits(), Place(workers=2), watch).different == ()
