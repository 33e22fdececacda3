"""Worker processes agree on where their pass begins, in whatever order they ask."""

import pickle
from pathlib import Path

import pytest

from millrace.errors import UsageError
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
