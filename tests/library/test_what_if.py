"""What if: from a run's stages to the simulated step and its answers."""

import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from millrace import datasets
from millrace.library.what_if import CALL, FIXED_ROWS, Simulated, simulated, works_of
from millrace.model import NetworkOptions
from millrace.pipeline import PRESETS
from millrace.runs import RoleTime, StageLine, read_lines, together
from millrace.runs.folder import RunFolder
from millrace.workers import Job, Place, Setup, train

# Ten steps of four slots by one worker, on two cores: each slot 1 s to draw, 2 to warp, 6 to compute, 0.5 to send.
TIMES = {"draw": 1.0, "warp": 2.0, "ledger": 0.0, "compute": 6.0, "send": 0.5}
STAGES = {name: (40 * seconds, 40, 40 * seconds**2) for name, seconds in TIMES.items()}
WORKER = RoleTime(1, {**STAGES, "update": (20.0, 10, 40.0), "trainer": (50.0, 1, 2500.0)})
LINE = StageLine(9, 10, 450.0, "local", 2, 4, 64, 256, 0, False, 400.0, {"worker": WORKER})


def test_the_step_is_what_was_measured() -> None:
    works = works_of(LINE)
    assert works is not None
    assert (works.workers, works.slots, works.load) == (1, 4, 0.0)
    assert works.make.mean == pytest.approx(3.0)
    assert works.make.deviation == pytest.approx(0.0, abs=1e-6)
    assert (works.compute.mean, works.send, works.update) == (6.0, 0.5, 2.0)
    found = simulated(LINE)
    assert found is not None
    assert found.measured == pytest.approx(40.0)  # what all waited for the trainer is no step's time
    assert found.error == pytest.approx(0.0, abs=1e-6)
    answers = {answer.what: answer for answer in found.answers}
    assert answers["one more worker"].seconds == pytest.approx(20.0)
    assert answers["batches for free"].change == pytest.approx(-12 / 40)
    larger = CALL / 6 + (1 - CALL / 6) * (FIXED_ROWS + 128) / (FIXED_ROWS + 64)
    assert answers["slots of twice the size"].seconds == pytest.approx(2 * (6 * larger + 6 + 0.5) + 2)
    assert found.rows[0] == ["one more worker", "20000.00 ms", "50 % less", "± 0.0 %"]


def test_a_busy_machine_is_seen_by_the_time_that_the_process_had() -> None:
    works = works_of(LINE._replace(cores=1, cpu=200.0))
    assert works is not None
    assert works.compute.mean == pytest.approx(3.0)
    assert works.load == pytest.approx(2 - 400 / 450)
    crowded = RoleTime(4, {"compute": (40.0, 40, 40.0)})  # four threads of its own on two cores
    works = works_of(LINE._replace(seconds=10.0, cpu=20.0, roles={"worker": crowded}))
    assert works is not None
    assert (works.compute.mean, works.load) == (0.5, 0.0)


def test_what_cannot_be_answered_is_not() -> None:
    assert simulated(LINE._replace(stale=True)) is None
    assert simulated(LINE._replace(steps=0)) is None
    assert simulated(LINE._replace(roles={"worker": RoleTime(1, {"idle": (1.0, 1, 1.0)})})) is None
    whole = simulated(LINE._replace(slots=1))
    assert whole is not None
    assert "slots of twice the size" not in [answer.what for answer in whole.answers]


JOB = Job("digits", 16, 256, slot_size=32, policy=PRESETS["digits"], network=NetworkOptions(hidden=(512, 256)))
ALONE, AGAIN, LOAD = Place(workers=1, test=False), 2, 0.3
SETTINGS = {
    "one more worker": (JOB, ALONE, JOB, replace(ALONE, workers=2)),
    "one more augmenter": (JOB, ALONE, JOB, replace(ALONE, augmenters=1)),
    "slots of twice the size": (JOB, replace(ALONE, workers=2), replace(JOB, slot_size=64), replace(ALONE, workers=2)),
}


TOO_LONG = pytest.mark.xfail(reason="the simulation says 20 to 33 % too much there, on an idle machine", strict=False)


def worked() -> tuple[float, float]:
    """The seconds that all cores of this machine have worked, and those of this process."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK"), time.process_time()


def measured(path: Path, job: Job, place: Place) -> tuple[Simulated, float]:
    """What a short run measured of itself, and how many cores others kept busy meanwhile."""
    folder = RunFolder.create(path, "seed: 0\n")
    folder.own()
    before, begun = worked(), time.perf_counter()
    train(Setup(job, datasets.load(datasets.find("digits"))), place, folder, lambda event: None, threading.Event())
    seconds, (machine, here) = time.perf_counter() - begun, worked()
    others = ((machine - before[0]) - (here - before[1])) / seconds
    folder.release()
    line = together([line for line in map(StageLine.of, read_lines(folder.stages)) if line is not None])
    assert line is not None
    found = simulated(line)
    assert found is not None
    return found, others


def off_by(folder: Path, name: str, measure: Callable[[Path, Job, Place], tuple[Simulated, float]]) -> float:
    """By which part the answer misses what another setting really takes: of runs that take turns the quickest, which
    others disturbed least (so it was nearer than medians, where that was looked at)."""
    job, place, other, elsewhere = SETTINGS[name]
    said, took, loads = [], [], []
    for turn in range(5):
        found, load = measure(folder / f"was-{turn}", job, place)
        really, other_load = measure(folder / f"is-{turn}", other, elsewhere)
        said.append((found.measured, next(answer.seconds for answer in found.answers if answer.what == name)))
        took.append(really.measured)
        loads += [load, other_load]
        if statistics.median(loads) > LOAD:
            pytest.skip(f"{statistics.median(loads):.1f} cores are busy with other programs: times say nothing")
    return min(said)[1] / min(took) - 1


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: nothing runs beside anything")
@pytest.mark.parametrize("name", [*list(SETTINGS)[:2], pytest.param(list(SETTINGS)[2], marks=TOO_LONG)])
def test_three_settings_really_run(tmp_path: Path, name: str) -> None:
    """Within 15 %, on a machine that has its cores for itself; tried once more where something came between."""
    misses = []
    for turn in range(AGAIN):
        off = off_by(tmp_path / str(turn), name, measured)
        if abs(off) <= 0.15:
            return
        misses.append(f"{off:+.1%}")
    pytest.fail(f"{name}: the simulation is off by {', then '.join(misses)}: more than 15 %")
