"""Worker processes agree on where their pass begins, in whatever order they ask."""

import pickle
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from millrace.errors import DataError, DeadlineError, UsageError
from millrace.loading import workerpasses
from millrace.loading.workerpasses import WorkerPasses


def following(step: int) -> int:
    return (step // 5 + 1) * 5


def test_all_workers_of_a_pass_begin_at_the_same_step_and_each_pass_at_the_next() -> None:
    passes = WorkerPasses(3)
    copies = [pickle.loads(pickle.dumps(passes)) for _ in range(2)]  # noqa: S301  (our own bytes)
    passes.check_state()
    assert passes.last is None
    assert [copy.first([70, 0], worker, following) for worker, copy in enumerate(copies)] == [3, 3]
    assert passes.last == 3
    with pytest.raises(UsageError, match="count the steps"):
        passes.check_state()
    assert [copy.first([70, 1], worker, following) for worker, copy in enumerate(copies)] == [5, 5]
    assert [copy.first([81, 0], worker, following) for worker, copy in enumerate(copies)] == [10, 10]


def test_a_worker_that_comes_late_gets_its_own_pass_and_moves_no_other() -> None:
    passes = WorkerPasses(0)
    assert passes.first([70, 0], 0, following) == 0
    passes.place(12)
    assert passes.first([70, 0], 1, following) == 0
    assert passes.first([70, 1], 1, following) == 12
    assert passes.first([70, 0], 2, following) == 0
    assert passes.first([70, 2], 0, following) == 15


def test_passes_of_the_same_seed_are_not_taken_for_one() -> None:
    """`torch.manual_seed` before every epoch, or before a resumed one, gives its workers the same seeds again."""
    passes = WorkerPasses(0)
    assert [passes.first([70, 0], worker, following) for worker in (0, 1)] == [0, 0]
    assert [passes.first([70, 0], worker, following) for worker in (1, 0)] == [5, 5]
    passes.place(13)
    assert [passes.first([70, 0], worker, following) for worker in (0, 1)] == [13, 13]


def test_the_file_goes_with_its_owner() -> None:
    passes = WorkerPasses(0)
    folder = Path(passes._folder)
    copy = pickle.loads(pickle.dumps(passes))  # noqa: S301  (our own bytes)
    assert folder.is_dir()
    del copy
    assert folder.is_dir()
    del passes
    assert not folder.exists()


def test_a_folder_that_is_gone_or_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cleaner of /tmp takes it, or the loader was sent to another machine."""
    passes = WorkerPasses(0)
    shutil.rmtree(passes._folder)
    for use in (lambda: passes.place(3), lambda: passes.first([70, 0], 0, following), passes.check_state):
        with pytest.raises(DataError, match="the worker processes of a DataLoader agree") as lost:
            use()
        assert str(passes._folder) in lost.value.what
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(DataError, match="temporary files") as none:
        WorkerPasses(0)
    assert "TMPDIR" in (none.value.do or "")


def test_a_lock_that_another_keeps_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workerpasses, "DEADLINE", 0.1)
    passes = WorkerPasses(0)
    with FileLock(passes._folder / "lock"), pytest.raises(DeadlineError, match="another worker process"):
        passes.place(3)
