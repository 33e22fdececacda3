"""A run that another driver takes while it is trained: training stops, and nothing of it is written any more."""

import dataclasses
from pathlib import Path

import pytest

from millrace.errors import TakenOverError
from millrace.runs import owner as run_owner
from millrace.runs.folder import RunFolder
from millrace.workers.events import Event, StepDone
from millrace.workers.job import Place
from tests.runs.test_folder import taken_over
from tests.workers.runs import JOB, Watch, train


@pytest.mark.parametrize("heard", ["at the next checkpoint", "by renewing", "after a sleep"])
def test_training_stops_and_writes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: str) -> None:
    monkeypatch.setattr(run_owner, "RENEWED", 0.02 if heard == "by renewing" else 600.0)
    place = Place(workers=1, checkpoint_every=0.02 if heard == "at the next checkpoint" else 600.0)
    folder, clock, sleep = tmp_path / "run", run_owner._clock, [0.0]
    monkeypatch.setattr(run_owner, "_clock", lambda: clock() + sleep[0])
    seen: list[list[Path]] = []

    def take(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 30:
            taken_over(RunFolder.open(folder))
            sleep[0] = 3600.0 if heard == "after a sleep" else 0.0
            seen.append(RunFolder.open(folder).checkpoints())

    with pytest.raises(TakenOverError, match="taken over by another driver"):
        train(folder, dataclasses.replace(JOB, epochs=100_000), place, watch=Watch(take))
    left = RunFolder.open(folder)
    assert not left.finished
    assert left.checkpoints() == seen[0]
    if heard == "after a sleep":
        # The step during which the machine slept is not written down any more.
        steps = left.metrics.read_text().splitlines()
        assert len(steps) <= 30


def test_checkpoints_tell_the_incarnation_that_wrote_them(tmp_path: Path) -> None:
    for incarnation, until in ((1, 5), (2, 8), (3, None)):
        train(tmp_path / "run", until=until)
        newest = RunFolder.open(tmp_path / "run").latest()
        assert newest is not None
        assert newest.state["incarnation"] == incarnation
