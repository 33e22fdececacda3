"""The meter: what a run writes of its own time, also where it was stopped and goes on."""

import dataclasses
from pathlib import Path

import pytest

from millrace.runs.folder import RunFolder
from millrace.runs.stages import StageLine
from millrace.workers.job import Place
from tests.workers.runs import JOB, VALIDATING, lines, train


def stretches(path: Path) -> list[StageLine]:
    found = [StageLine.of(line) for line in lines(RunFolder.open(path).stages)]
    assert None not in found
    return [line for line in found if line is not None]


@pytest.mark.parametrize("staleness", [0, 2])
def test_a_run_knows_where_its_time_went(tmp_path: Path, staleness: int) -> None:
    job = dataclasses.replace(VALIDATING, epochs=20, staleness=staleness)
    done = train(tmp_path / "run", job, Place(workers=2, augmenters=1))
    found = stretches(tmp_path / "run")
    assert sum(line.steps for line in found) == done.step
    assert found[-1].step == done.step - 1
    slots = sum(-(-min(32, 70 - 32 * k) // 8) for k in range(3)) * 20
    computed = sum(line.roles["worker"].stages["compute"][1] for line in found if line.steps)
    assert computed == slots
    made = sum(time.stages["warp"][1] for line in found for time in line.roles.values() if "warp" in time.stages)
    assert made >= slots  # and what was made ahead of the end
    # All the time of every thread stands in some stage.
    seconds = sum(line.seconds for line in found)
    assert sum(line.roles["trainer"].seconds for line in found) == pytest.approx(seconds, rel=0.1, abs=0.02)
    # (Those of the workers begin when they start, a little after the trainer's.)
    assert seconds < sum(line.roles["worker"].seconds for line in found) < 2 * seconds + 0.05
    assert {"validate", "checkpoint", "idle"} <= {name for line in found for name in line.roles["trainer"].stages}


def test_a_run_that_goes_on_has_each_step_once(tmp_path: Path) -> None:
    train(tmp_path / "run", until=5)
    first = RunFolder.open(tmp_path / "run").stages.read_text()
    with (tmp_path / "run" / "stages.jsonl").open("a") as file:  # as a kill leaves them: of later steps, and torn
        file.write(first.splitlines()[0].replace('"step": 4', '"step": 9') + "\n" + first[:20])
    train(tmp_path / "run", JOB)
    assert sum(line.steps for line in stretches(tmp_path / "run")) == 12
    assert [line.step for line in stretches(tmp_path / "run")] == sorted(
        line.step for line in stretches(tmp_path / "run")
    )
