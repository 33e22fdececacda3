"""Series of runs: what is finished is not done again, and what diverged is finished too."""

import dataclasses
import threading
from pathlib import Path

import pytest

from millrace.errors import TrainingError
from millrace.workers import series
from millrace.workers.job import Place
from millrace.workers.series import Trial, broken, carry_out
from tests.workers.runs import JOB, digits

DIVERGES = dataclasses.replace(JOB, optimizer=dataclasses.replace(JOB.optimizer, name="sgd", rate=1e30))


def test_a_run_that_diverges_is_done(tmp_path: Path) -> None:
    trial = Trial("wild", DIVERGES, Place(workers=1), tmp_path / "run", "epochs: 4\n")
    for _ in range(2):
        assert carry_out(trial, digits(), threading.Event())
        assert broken(trial)


def test_another_error_is_raised_whatever_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise TrainingError("training broke down at a worker that is lost")

    monkeypatch.setattr(series, "train", fail)
    trial = Trial("lost", JOB, Place(workers=1), tmp_path / "run", "epochs: 4\n")
    with pytest.raises(TrainingError):
        carry_out(trial, digits(), threading.Event())
    assert not broken(trial)
