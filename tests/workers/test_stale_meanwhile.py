"""Audit and replay of runs that go on meanwhile, and a replay that ends before its run did."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from millrace.library import auditing
from millrace.library.auditing import audit
from millrace.model import OptimizerOptions, RegularizationOptions
from millrace.runs.folder import RunFolder
from millrace.runs.journal import read_journal
from millrace.runs.journal_rows import JournalRows
from millrace.workers.events import Event
from tests.workers.runs import JOB, STEPS, STEPS_PER_EPOCH, VALIDATING, digits, lines, train
from tests.workers.test_stale_training import replayed, stale, stopped_at


def test_an_audit_of_a_run_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch that is written down after its journal was read is not looked at; one whose journal is not here yet, as
    in a copy that was taken meanwhile, is said to be unfinished."""
    job = stale(2)
    step = stopped_at(tmp_path, job, STEPS_PER_EPOCH + 1)
    folder = RunFolder.open(tmp_path)
    done = step // STEPS_PER_EPOCH
    line = json.dumps({**lines(folder.epochs)[-1], "epoch": done})

    def later(*arguments: Any, **options: Any) -> JournalRows:
        with folder.epochs.open("a") as file:
            file.write(f"{line}\n")
        return read_journal(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(auditing, "read_journal", later)
        found = audit(folder, job, digits())
    assert (len(found.epochs), found.wrong, found.unfinished) == (done, (), 0)
    folder.epochs.write_text("".join(folder.epochs.read_text().splitlines(keepends=True)[: done + 1]))
    found = audit(folder, job, digits())
    assert (len(found.epochs), found.wrong, found.unfinished) == (done, (), 1)


def test_a_result_that_comes_while_a_run_is_replayed_is_not_looked_at(tmp_path: Path) -> None:
    train(tmp_path / "run", JOB)
    result = (tmp_path / "run" / "result.json").rename(tmp_path / "result.json")

    def observer(event: Event) -> None:
        shutil.copy(result, tmp_path / "run")

    found = replayed(tmp_path / "run", JOB, observer=observer)
    assert RunFolder.open(tmp_path / "run").finished
    assert found.same


def test_a_replay_that_ends_by_itself_differs(tmp_path: Path) -> None:
    still = dataclasses.replace(VALIDATING, optimizer=OptimizerOptions(rate=1e-12))
    train(tmp_path, still)
    early = dataclasses.replace(still, regularization=RegularizationOptions(early_stopping=1))
    found = replayed(tmp_path, early)
    assert found.replayed < found.step == STEPS
    assert found.different == (f"the run has {STEPS} steps, the replay ended by itself after {found.replayed}",)
