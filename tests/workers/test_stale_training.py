"""Stale runs: each sample still counts once, the bound holds, and the journal has the run again in the same bytes."""

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from millrace.errors import CheckpointError, Diverged, MismatchError
from millrace.library.auditing import audit
from millrace.library.replaying import Replay, replay
from millrace.model import OptimizerOptions, RegularizationOptions, ScheduleOptions
from millrace.runs.folder import RunFolder
from millrace.runs.journal import Journal, read_journal
from millrace.runs.journal_rows import JournalRow
from millrace.workers.events import Event, Notice, StepDone
from millrace.workers.gradient_worker import GradientWorker, gradient_worker
from millrace.workers.job import Job, Place
from millrace.workers.local_training import train as train_here
from millrace.workers.records import identity
from millrace.workers.setup import Setup
from millrace.workers.slot import Slot
from millrace.workers.tree import root
from tests.workers.runs import JOB, STEPS, STEPS_PER_EPOCH, VALIDATING, Watch, digits, lines, optimizer, train, weights

FOUR = Place(workers=4)


def stale(staleness: int | str, job: Job = JOB) -> Job:
    return dataclasses.replace(job, staleness=staleness)


@pytest.fixture
def slowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker 0 takes some milliseconds more than the others for each batch."""
    compute = GradientWorker.compute

    def slow(self: GradientWorker, weights, step, block, slots, take):  # type: ignore[no-untyped-def]
        if threading.current_thread().name == "worker-0" and block == root(slots):
            time.sleep(0.01)
        time.sleep(0.001)  # others have a turn, on however few cores
        return compute(self, weights, step, block, slots, take)

    monkeypatch.setattr(GradientWorker, "compute", slow)


def rows_of(path: Path, job: Job) -> list[JournalRow]:
    folder = RunFolder.open(path)
    kept = folder.latest()
    assert kept is not None
    return list(read_journal(folder.journal, identity(Setup(job, digits())), kept.step, kept.state["journal"]))


def replayed(path: Path, job: Job, workers: int = 1, observer: Callable[[Event], None] = lambda event: None) -> Replay:
    return replay(RunFolder.open(path), job, digits(), Place(workers=workers), observer)


def stopped_at(path: Path, job: Job, step: int, place: Place = FOUR) -> int:
    """Train until the step is reported, and stop while other batches are under way; the step of the checkpoint."""
    folder = RunFolder.open(path) if RunFolder.is_run(path) else RunFolder.create(path, "epochs: 4\n")
    stop = threading.Event()

    def observer(event: Event) -> None:
        if isinstance(event, StepDone) and event.step >= step:
            stop.set()

    folder.own()
    try:
        return train_here(Setup(job, digits()), place, folder, observer, stop, folder.latest()).step
    finally:
        folder.release()


@pytest.fixture(scope="module")
def synchronous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synchronous") / "run"
    train(path, VALIDATING)
    return path


@pytest.mark.parametrize("staleness", [1, 50, "unbounded"])
def test_one_worker_is_never_behind_and_ends_in_the_synchronous_bytes(
    tmp_path: Path, synchronous: Path, staleness: int | str
) -> None:
    train(tmp_path / "run", stale(staleness, VALIDATING), Place(workers=1))
    assert weights(tmp_path / "run") == weights(synchronous)
    assert optimizer(tmp_path / "run") == optimizer(synchronous)
    for name in ("metrics.jsonl", "epochs.jsonl"):
        for ours, theirs in zip(lines(tmp_path / "run" / name), lines(synchronous / name), strict=True):
            assert ours.pop("staleness", 0) == 0
            times = ("samples_per_second", "waiting", "seconds")
            assert {key: ours[key] for key in ours if key not in times} == {
                key: theirs[key] for key in theirs if key not in times
            }


@pytest.mark.usefixtures("slowed")
@pytest.mark.parametrize("staleness", [1, 2, 4, "unbounded"])
@pytest.mark.parametrize("job", [JOB, VALIDATING], ids=["plain", "validating"])
def test_a_stale_run_and_its_replays(tmp_path: Path, staleness: int | str, job: Job) -> None:
    job = stale(staleness, dataclasses.replace(job, batch=8, slot_size=4, epochs=2))
    train(tmp_path, job, FOUR)
    rows = rows_of(tmp_path, job)
    lags = [update - row.read for update, row in enumerate(rows)]
    assert max(lags) > 0
    assert isinstance(staleness, str) or max(lags) <= staleness
    assert lags == [line["staleness"] for line in lines(tmp_path / "metrics.jsonl")]
    assert len({row.worker for row in rows}) > 1
    assert sorted(row.batch for row in rows) == list(range(len(rows)))
    found = audit(RunFolder.open(tmp_path), job, digits())
    assert [(epoch.missing, epoch.repeated, epoch.same) for epoch in found.epochs] == [(0, 0, True)] * 2
    assert found.staleness == dict(sorted(Counter(lags).items()))
    assert RunFolder.open(tmp_path).result()["staleness"] == {str(lag): n for lag, n in found.staleness.items()}
    for workers in (1, 3):
        again = replayed(tmp_path, job, workers)
        assert again.different == ()
        assert (again.same, again.step, again.staleness) == (True, len(rows), found.staleness)


@pytest.mark.usefixtures("slowed")
def test_the_weights_are_those_that_the_journal_says_by_hand(tmp_path: Path) -> None:
    """SGD, update by update, with every version of the weights kept."""
    job = stale("unbounded", dataclasses.replace(JOB, batch=8, slot_size=8, epochs=1))
    job = dataclasses.replace(job, optimizer=OptimizerOptions("sgd", rate=0.1), schedule=ScheduleOptions("constant"))
    train(tmp_path, job, FOUR)
    setup, rows = Setup(job, digits()), rows_of(tmp_path, job)
    versions = [setup.network.initial(job.seed)]
    for row in rows:
        worker, slots = gradient_worker(setup), setup.order.slots(row.batch)
        partial = worker.compute(
            versions[row.read], row.batch, root(slots), slots, lambda s, k: (Slot.made(setup.stream, s, k), 0.0)
        )
        versions.append(versions[-1] - np.float32(0.1) * partial.gradient / np.float32(partial.samples))
    kept = RunFolder.open(tmp_path).latest()
    assert kept is not None
    assert any(row.read != update for update, row in enumerate(rows))
    np.testing.assert_allclose(kept.weights, versions[-1], rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("slowed")
@pytest.mark.parametrize("staleness", [3, "unbounded"])
def test_stopped_in_the_middle_of_things_and_gone_on_with(tmp_path: Path, staleness: int | str) -> None:
    job, left = stale(staleness, dataclasses.replace(VALIDATING, batch=4, slot_size=4)), 0
    for step in (3, 20, 33, 50):
        stopped = stopped_at(tmp_path, job, step)
        kept = RunFolder.open(tmp_path).latest()
        assert kept is not None
        left += len(kept.state["left"])
        assert stopped == kept.step == len(lines(tmp_path / "metrics.jsonl")) == len(rows_of(tmp_path, job))
        assert replayed(tmp_path, job, 2).same
    assert left  # batches were under way, and are taken again
    train(tmp_path, job, Place(workers=3))
    assert replayed(tmp_path, job, 4).same
    assert not audit(RunFolder.open(tmp_path), job, digits()).wrong


@pytest.mark.usefixtures("slowed")
def test_what_was_written_after_the_checkpoint_is_cut(tmp_path: Path) -> None:
    """As after a kill: the journal is longer than the newest checkpoint, and torn."""
    job = stale("unbounded", dataclasses.replace(JOB, batch=4, slot_size=4, epochs=20))  # 360 steps
    first = stopped_at(tmp_path, job, 3)  # later where the machine is busy
    short = (tmp_path / "journal.bin").read_bytes()
    assert train(tmp_path, job, FOUR, until=first + 40).step == first + 40
    RunFolder.open(tmp_path).drop_after(first)
    with (tmp_path / "journal.bin").open("r+b") as file:
        file.truncate(file.seek(0, 2) - 1)
    assert replayed(tmp_path, job).step == first
    train(tmp_path, job, FOUR)
    assert (tmp_path / "journal.bin").read_bytes().startswith(short)
    assert replayed(tmp_path, job).same


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": OptimizerOptions("nesterov", rate=0.05)},
        {"regularization": RegularizationOptions(average=0.9, clip=0.5, max_norm=1.0, dropout=0.2, weight_noise=0.01)},
        {"schedule": ScheduleOptions("plateau", patience=1), "validation": 20, "subset": 90},
        {"regularization": RegularizationOptions(early_stopping=1), "validation": 20, "subset": 90, "epochs": 9},
        {"sampling": "balanced"},
        {"wire": "int8"},
    ],
    ids=["nesterov", "regularized", "plateau", "early", "balanced", "int8"],
)
@pytest.mark.usefixtures("slowed")
def test_whatever_the_methods(tmp_path: Path, changes: dict[str, object]) -> None:
    job = stale(3, dataclasses.replace(JOB, **changes))  # type: ignore[arg-type]
    train(tmp_path, job, FOUR)
    assert replayed(tmp_path, job, 2).different == ()
    assert not audit(RunFolder.open(tmp_path), job, digits()).wrong


def test_the_best_weights_are_of_steps_that_count(tmp_path: Path) -> None:
    """A kill between a checkpoint and the writing of its best weights; before that a better epoch was not kept."""
    early = RegularizationOptions(early_stopping=5)
    job = stale(1, dataclasses.replace(VALIDATING, epochs=3, regularization=early))
    train(tmp_path, job, FOUR, until=STEPS_PER_EPOCH)
    folder = RunFolder.open(tmp_path)
    best = folder.best()
    assert best is not None
    assert [path.name for path in folder.checkpoints()] == ["step-0000000003"]  # with the best itself
    folder.write_best(dataclasses.replace(best, step=6, weights=best.weights + 1))
    train(tmp_path, job, FOUR, until=4)
    again = folder.best()
    assert again is not None
    assert (again.step, again.weights.tobytes()) == (3, best.weights.tobytes())


def test_a_synchronous_run_needs_no_journal(tmp_path: Path, synchronous: Path) -> None:
    assert not (synchronous / "journal.bin").exists()
    assert replayed(synchronous, VALIDATING, 3) == Replay(STEPS, STEPS, (), {})
    train(tmp_path, until=4)
    assert replayed(tmp_path, JOB) == Replay(4, 4, (), {})


def test_what_differs_is_named(tmp_path: Path) -> None:
    job = stale(2)
    train(tmp_path, job, FOUR)
    metrics = (tmp_path / "metrics.jsonl").read_text()
    loss = lines(tmp_path / "metrics.jsonl")[6]["loss"]
    (tmp_path / "metrics.jsonl").write_text(metrics.replace(str(loss), "1.5"))
    assert replayed(tmp_path, job).different == (f"metrics.jsonl, line 7: loss 1.5, replayed {loss}",)
    (tmp_path / "metrics.jsonl").write_text(metrics)
    folder = RunFolder.open(tmp_path)
    kept = folder.latest()
    assert kept is not None
    kept.weights[7] += 1
    folder.write(kept)
    (only,) = replayed(tmp_path, job).different
    assert only.startswith("weights: 1 of ")


def test_a_replay_that_is_stopped_proves_nothing(tmp_path: Path) -> None:
    job, stop = stale(2), threading.Event()
    train(tmp_path, job, FOUR)
    stop.set()
    found = replay(RunFolder.open(tmp_path), job, digits(), Place(workers=1), lambda event: None, stop)
    assert (found.same, found.step, found.replayed, found.different) == (False, STEPS, 0, ())


def test_a_run_whose_journal_is_gone_or_torn_or_anothers(tmp_path: Path) -> None:
    job = stale(1)
    train(tmp_path / "run", job, FOUR, until=7)
    train(tmp_path / "other", dataclasses.replace(job, seed=8), FOUR, until=7)
    path, checks = tmp_path / "run" / "journal.bin", (train, replayed)
    whole, metrics = path.read_bytes(), (tmp_path / "run" / "metrics.jsonl").read_bytes()
    for data, error in (
        (None, CheckpointError),
        (whole[:-5], CheckpointError),
        ((tmp_path / "other" / "journal.bin").read_bytes(), MismatchError),
    ):
        path.unlink()
        if data is not None:
            path.write_bytes(data)
        for check in checks:
            with pytest.raises(error, match=r"journal\.bin"):
                check(tmp_path / "run", job)
        assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == metrics
        path.write_bytes(whole)
    train(tmp_path / "run", job)
    assert replayed(tmp_path / "run", job).same


def test_the_digest_that_journals_named_their_run_by_stays() -> None:
    """They are opened as long as `Job.recipe` leaves out where it is plain what is added to it."""
    expected = "769240481ef8b68e606f6ef28d18097189f9747b2ebd57f865afcdab8cef7bf3"
    assert identity(Setup(stale(2), digits())).digest == expected


def test_what_a_run_is_known_by() -> None:
    found = identity(Setup(stale(2), digits()))
    expected = {"seed": 7, "staleness": 2, "network.hidden": [12], "policy.rotate": 12.0}
    assert {name: found.options[name] for name in expected} == expected
    assert (found.plain["seed"], found.plain["policy.rotate"], found.plain["optimizer.rate"]) == (0, 0.0, 0.001)
    assert not found.options.keys() - found.plain.keys() - {"data", "staleness"}


def test_more_workers_than_the_bound_keeps_busy_are_told(tmp_path: Path) -> None:
    watch = Watch()
    train(tmp_path, stale(1), FOUR, until=2, watch=watch)
    expected = "4 workers for staleness 1: 2 can work at once; a larger `staleness` would use more"
    assert [notice.text for notice in watch.of(Notice)] == [expected]


@pytest.mark.filterwarnings("ignore:.*encountered in matmul:RuntimeWarning")
@pytest.mark.timeout(20)
def test_errors_and_breakdowns_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wild = stale(2, dataclasses.replace(JOB, optimizer=OptimizerOptions("sgd", rate=1e30)))
    with pytest.raises(Diverged, match="training broke down at step"):
        train(tmp_path / "wild", wild, FOUR)

    def fail(self: GradientWorker, *arguments: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(GradientWorker, "compute", fail)
    with pytest.raises(MemoryError, match="no room"):
        train(tmp_path / "fail", stale(2), FOUR)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker-")]


def test_a_false_journal_is_found_by_the_ledger(tmp_path: Path) -> None:
    """Two batches changed places in a journal that is whole: other data than the ledger says, in that epoch alone."""
    job = stale("unbounded")
    train(tmp_path, job, FOUR)
    rows = rows_of(tmp_path, job)
    a, b = 4, 5
    rows[a], rows[b] = rows[a]._replace(batch=rows[b].batch), rows[b]._replace(batch=rows[a].batch)
    folder = RunFolder.open(tmp_path)
    journal = Journal(folder.journal, identity(Setup(job, digits())))
    for row in rows:
        journal.write(row)
    journal.close()
    with pytest.raises(MismatchError, match="not the journal of this checkpoint"):
        audit(folder, job, digits())
    folder.drop_after(-1)  # without checkpoints the ledger alone speaks
    found = audit(folder, job, digits())
    assert found.wrong == (a // STEPS_PER_EPOCH,)
    assert [(epoch.missing, epoch.repeated) for epoch in found.epochs] == [(0, 0)] * 4
