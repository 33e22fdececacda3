"""Worker processes agree on where their pass begins, in whatever order they ask."""

import pickle
from pathlib import Path

from millrace.loading.workerpasses import WorkerPasses


def following(step: int) -> int:
    return (step // 5 + 1) * 5


def test_all_workers_of_a_pass_begin_at_the_same_step_and_each_pass_at_the_next() -> None:
    passes = WorkerPasses(3)
    copies = [pickle.loads(pickle.dumps(passes)) for _ in range(2)]  # noqa: S301  (our own bytes)
    assert not passes.begun
    assert [copy.first([70, 0], following) for copy in copies] == [3, 3]
    assert passes.begun
    assert [copy.first([70, 1], following) for copy in copies] == [5, 5]
    assert [copy.first([81, 0], following) for copy in copies] == [10, 10]


def test_a_worker_that_comes_late_gets_its_own_pass_and_moves_no_other() -> None:
    passes = WorkerPasses(0)
    assert passes.first([70, 0], following) == 0
    passes.place(12)
    assert passes.first([70, 0], following) == 0
    assert passes.first([70, 1], following) == 12
    assert passes.first([70, 0], following) == 0
    assert passes.first([70, 2], following) == 15


def test_the_file_goes_with_its_owner() -> None:
    passes = WorkerPasses(0)
    folder = Path(passes._folder)
    copy = pickle.loads(pickle.dumps(passes))  # noqa: S301  (our own bytes)
    assert folder.is_dir()
    del copy
    assert folder.is_dir()
    del passes
    assert not folder.exists()
