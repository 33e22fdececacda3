"""One promise: the same bits, whatever the number of workers, the read-ahead, and however often the run was stopped."""

import dataclasses
import hashlib
import threading
import time
from pathlib import Path

import pytest

from millrace.errors import DeadlineError, Diverged, TrainingError
from millrace.pipeline.policy import preset
from millrace.runs.folder import RunFolder
from millrace.workers.blas import blas_threads
from millrace.workers.events import CheckpointWritten, EpochDone, Event, Notice, RunDone, RunStarted, StepDone
from millrace.workers.gradient_worker import GradientWorker
from millrace.workers.job import Place
from millrace.workers.ledger import expected
from millrace.workers.local_runtime import LocalRuntime
from millrace.workers.parameter_server import ServerState
from millrace.workers.setup import Setup
from tests.workers.runs import (
    JOB,
    STEPS,
    STEPS_PER_EPOCH,
    VALIDATING,
    Watch,
    digits,
    lines,
    optimizer,
    train,
    weights,
)

JOBS = {"plain": JOB, "validating": VALIDATING}


def bits(path: Path) -> tuple[str, str, list[object]]:
    """All that must not depend on where and how a run was computed."""
    measures = [
        [line["step"], line["epoch"], line["loss"], line["accuracy"], line["rate"]]
        for line in lines(path / "metrics.jsonl")
    ]
    epochs = [
        [line[key] for key in ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "ledger")]
        for line in lines(path / "epochs.jsonl")
    ]
    digests = (hashlib.sha256(data).hexdigest() for data in (weights(path), optimizer(path)))
    return (*digests, [measures, epochs])  # type: ignore[return-value]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that nothing disturbed, by one worker."""
    made = {}
    for kind, job in JOBS.items():
        made[kind] = tmp_path_factory.mktemp("unbroken") / "run"
        train(made[kind], job, Place(workers=1, read_ahead=0))
    return made


@pytest.fixture(params=list(JOBS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
@pytest.mark.parametrize(("augmenters", "read_ahead"), [(0, 0), (0, 64), (1, 0), (2, 64)])
def test_workers_augmenters_and_read_ahead_change_no_bit(
    tmp_path: Path, unbroken: dict[str, Path], workers: int, augmenters: int, read_ahead: int
) -> None:
    done = train(tmp_path / "run", place=Place(workers=workers, augmenters=augmenters, read_ahead=read_ahead))
    assert done.step == STEPS
    assert bits(tmp_path / "run") == bits(unbroken["plain"])


@pytest.mark.parametrize(
    "changes",
    [
        {"slot_size": 32},
        {"slot_size": 5},
        {"slot_size": None, "batch": 70},
        {"batch": 1, "slot_size": 1, "epochs": 1},
        {"batch": 69, "slot_size": 68, "seed": 2**32 - 1},
        {"policy": preset("none"), "normalize": "unit", "validation": 30},
        {"wire": "bfloat16", "slot_size": 5},
        {"wire": "int8", "slot_size": 3},
    ],
)
def test_the_same_bits_for_any_slot_and_batch(tmp_path: Path, changes: dict[str, object]) -> None:
    job = dataclasses.replace(JOB, **changes)  # type: ignore[arg-type]
    for workers in (1, 2, 3):
        train(tmp_path / str(workers), job, Place(workers=workers))
    assert bits(tmp_path / "1") == bits(tmp_path / "2") == bits(tmp_path / "3")


def test_what_is_of_the_job_does_change_bits(tmp_path: Path, unbroken: dict[str, Path]) -> None:
    for number, changes in enumerate(
        [{"seed": 8}, {"slot_size": 16}, {"policy": preset("none")}, {"batch": 31}, {"wire": "int8"}]
    ):
        train(tmp_path / str(number), dataclasses.replace(JOB, **changes))  # type: ignore[arg-type]
        assert weights(tmp_path / str(number)) != weights(unbroken["plain"])


@pytest.mark.parametrize("until", range(1, STEPS))
def test_stopped_after_any_step_and_resumed_elsewhere(
    tmp_path: Path, unbroken: dict[str, Path], kind: str, until: int
) -> None:
    first = train(tmp_path, JOBS[kind], Place(workers=2), until=until)
    assert (first.step, first.stopped, first.test_accuracy) == (until, True, None)
    assert not RunFolder.open(tmp_path).finished
    assert [line["step"] for line in lines(tmp_path / "metrics.jsonl")] == list(range(until))
    last = train(tmp_path, JOBS[kind], Place(workers=3, augmenters=1))
    assert (last.step, last.stopped) == (STEPS, False)
    assert RunFolder.open(tmp_path).finished
    assert bits(tmp_path) == bits(unbroken[kind])


@pytest.mark.parametrize("stops", [(5, 7), (3, 6), (3, 3), (2, 3, 4, 11)])
def test_stopped_several_times(tmp_path: Path, unbroken: dict[str, Path], kind: str, stops: tuple[int, ...]) -> None:
    for until in stops:
        train(tmp_path, JOBS[kind], until=until)
    train(tmp_path, JOBS[kind])
    assert bits(tmp_path) == bits(unbroken[kind])


def test_a_run_that_was_killed_goes_on_from_an_older_checkpoint(tmp_path: Path, unbroken: dict[str, Path]) -> None:
    for until in (4, 8):
        train(tmp_path, until=until)
    newest = RunFolder.open(tmp_path).checkpoints()[-1] / "weights.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    # As if the process had been killed while it wrote its next lines.
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "epoch": 2, "lo')
    watch = Watch()
    train(tmp_path, watch=watch)
    assert watch.of(RunStarted)[0].step == 4
    assert bits(tmp_path) == bits(unbroken["plain"])


def test_a_run_that_was_killed_before_its_result(tmp_path: Path, unbroken: dict[str, Path]) -> None:
    first = train(tmp_path)
    (tmp_path / "result.json").unlink()
    again = train(tmp_path)
    assert (again.step, again.test_loss, again.test_accuracy) == (STEPS, first.test_loss, first.test_accuracy)
    assert bits(tmp_path) == bits(unbroken["plain"])


def test_a_stop_before_the_first_step(tmp_path: Path, unbroken: dict[str, Path]) -> None:
    done = train(tmp_path, watch=Watch(), until=0)
    assert done.stopped
    train(tmp_path)
    assert bits(tmp_path) == bits(unbroken["plain"])


def test_events_tell_of_every_step_once_and_in_order(tmp_path: Path) -> None:
    watch = Watch()
    done = train(tmp_path, VALIDATING, Place(workers=9, checkpoint_every=1e-9), watch=watch)
    started = watch.of(RunStarted)[0]
    assert (started.step, started.total_steps, started.steps_per_epoch) == (0, STEPS, STEPS_PER_EPOCH)
    assert (started.samples, started.validation_samples, started.workers, started.slots) == (70, 20, 4, 4)
    assert [step.step for step in watch.of(StepDone)] == list(range(STEPS))
    assert [step.step for step in watch.of(EpochDone)] == [2, 5, 8, 11]
    assert all(0 <= step.waiting <= 1 and step.samples_per_second > 0 for step in watch.of(StepDone))
    written = [event.step for event in watch.of(CheckpointWritten)]
    assert written == sorted(written)
    assert written[-1] == STEPS
    assert len(RunFolder.open(tmp_path).checkpoints()) <= 2
    assert watch.events[-1] == done
    assert "9 workers for 4 slots" in watch.of(Notice)[0].text


def test_the_ledger_is_what_the_stream_gives(tmp_path: Path) -> None:
    train(tmp_path, until=8)
    train(tmp_path)
    stream = Setup(JOB, digits()).stream
    for epoch, line in enumerate(lines(tmp_path / "epochs.jsonl")):
        made = expected(stream, epoch)
        assert (line["ledger"], line["samples"], line["samples"]) == (made.ledger, made.samples, made.different)


def test_another_environment_is_announced_and_blocks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path, until=4)
    monkeypatch.setattr("millrace.workers.checkpoints.own_fingerprint", lambda: {"blas": "another"})
    watch = Watch()
    train(tmp_path, watch=watch)
    assert any("another environment" in notice.text for notice in watch.of(Notice))


def test_blas_has_one_thread_while_it_trains_and_as_many_as_before_afterwards(tmp_path: Path) -> None:
    before, seen = blas_threads(), set[int]()
    train(tmp_path, watch=Watch(lambda event: seen.update(blas_threads().values())))
    assert seen == {1}
    assert blas_threads() == before


def worker_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("worker-")]


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.timeout(20)
def test_an_error_in_a_worker_ends_the_run_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    compute = GradientWorker.compute

    def fail(self: GradientWorker, weights, step, block, slots, take):  # type: ignore[no-untyped-def]
        if step == 5 and block.start == 0:
            raise MemoryError("no room")
        return compute(self, weights, step, block, slots, take)

    monkeypatch.setattr(GradientWorker, "compute", fail)
    with pytest.raises(MemoryError, match="no room"):
        train(tmp_path, place=Place(workers=workers))
    assert not worker_threads()


@pytest.mark.parametrize("augmenters", [0, 2])
@pytest.mark.timeout(20)
def test_an_error_in_the_pipeline_ends_the_run_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augmenters: int
) -> None:
    stream = Setup(JOB, digits()).stream.__class__
    rows = stream.rows

    def fail(self, epoch, first, last):  # type: ignore[no-untyped-def]
        if (epoch, first) == (1, 32):
            raise ValueError("no such picture")
        return rows(self, epoch, first, last)

    monkeypatch.setattr(stream, "rows", fail)
    with pytest.raises(ValueError, match="no such picture"):
        train(tmp_path, place=Place(workers=2, augmenters=augmenters))
    assert not worker_threads()


@pytest.mark.parametrize(
    ("kind", "step"), [(RunStarted, 0), (StepDone, 2), (EpochDone, 5), (CheckpointWritten, 3), (StepDone, STEPS - 1)]
)
@pytest.mark.parametrize("error", [BrokenPipeError, SystemExit])
@pytest.mark.timeout(20)
def test_an_error_of_the_observer_ends_the_run_with_a_checkpoint_and_then_with_it(
    tmp_path: Path, unbroken: dict[str, Path], kind: type, step: int, error: type[BaseException]
) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, kind) and getattr(event, "step", 0) >= step:
            raise error

    with pytest.raises(error):
        train(tmp_path, place=Place(workers=2, checkpoint_every=1e-9), watch=Watch(fail))
    assert not worker_threads()
    kept = RunFolder.open(tmp_path).latest()
    assert kept is not None
    assert step <= kept.step == len(lines(tmp_path / "metrics.jsonl"))
    train(tmp_path)
    assert bits(tmp_path) == bits(unbroken["plain"])


def test_a_step_may_take_as_long_as_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = GradientWorker.compute

    def slow(self: GradientWorker, weights, step, block, slots, take):  # type: ignore[no-untyped-def]
        if block.size > 1:
            time.sleep(0.5)
        return compute(self, weights, step, block, slots, take)

    monkeypatch.setattr(GradientWorker, "compute", slow)
    for module in ("trainer", "local_runtime", "standstill"):
        monkeypatch.setattr(f"millrace.workers.{module}.DEADLINE", 0.2, raising=False)
    monkeypatch.setattr("millrace.workers.standstill.SLOWEST", (1e5, 1e5), raising=False)  # 2 s for a step
    assert train(tmp_path, dataclasses.replace(JOB, epochs=1), Place(workers=1)).step == STEPS_PER_EPOCH


@pytest.mark.timeout(20)
def test_a_run_that_stands_still_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def hang(self: GradientWorker, weights, step, block, slots, take):  # type: ignore[no-untyped-def]
        ended.wait(10)
        raise MemoryError

    monkeypatch.setattr(GradientWorker, "compute", hang)
    monkeypatch.setattr("millrace.workers.standstill.DEADLINE", 0.2)
    monkeypatch.setattr("millrace.workers.local_runtime.LEAVE", 0.1)
    with pytest.raises(DeadlineError, match="no step was finished"):
        train(tmp_path)
    ended.set()


@pytest.mark.filterwarnings("ignore:.*encountered in matmul:RuntimeWarning")
def test_a_loss_that_is_no_number_names_the_step_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    wild = dataclasses.replace(JOB, optimizer=dataclasses.replace(JOB.optimizer, name="sgd", rate=1e30))
    train(tmp_path, wild, until=1)
    with pytest.raises(TrainingError, match=r"training broke down at step \d+"):
        train(tmp_path, wild)
    kept = RunFolder.open(tmp_path).latest()
    assert kept is not None
    assert kept.step == 1
    assert not RunFolder.open(tmp_path).finished


@pytest.mark.filterwarnings("ignore:.*encountered in matmul:RuntimeWarning")
@pytest.mark.parametrize("every", [60.0, 1e-9])
def test_the_steps_before_a_breakdown_are_in_the_metrics(tmp_path: Path, every: float) -> None:
    wild = dataclasses.replace(JOB, optimizer=dataclasses.replace(JOB.optimizer, name="sgd", rate=1e12))
    with pytest.raises(TrainingError, match="training broke down") as caught:
        train(tmp_path, wild, Place(workers=2, checkpoint_every=every))
    broken = int(caught.value.what.rsplit(maxsplit=1)[1])
    assert broken > 0
    assert [line["step"] for line in lines(tmp_path / "metrics.jsonl")][:broken] == list(range(broken))


def test_the_steps_before_weights_that_are_not_finite_are_in_the_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverged(self: LocalRuntime) -> ServerState:
        while self.server.version < STEPS:
            time.sleep(0.01)
        time.sleep(0.2)  # the last step is handed in after the version says so
        raise Diverged("a weight is not finite")

    monkeypatch.setattr(LocalRuntime, "snapshot", diverged)
    with pytest.raises(Diverged, match="a weight is not finite"):
        train(tmp_path, place=Place(workers=1, checkpoint_every=1e-9))
    assert [line["step"] for line in lines(tmp_path / "metrics.jsonl")] == list(range(STEPS))


def test_the_result_is_that_of_the_test_set(tmp_path: Path) -> None:
    done: RunDone = train(tmp_path)
    result = RunFolder.open(tmp_path).result()
    assert (result["count"], result["test_accuracy"]) == (360, done.test_accuracy)
    assert result["correct"] / 360 == done.test_accuracy
    assert done.test_loss == result["test_loss"]
