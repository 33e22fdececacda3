"""The promise holds for every method: the same bits for any number of workers, and resumed after any step."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millrace import datasets
from millrace.errors import TrainingError, UsageError
from millrace.model import NetworkOptions, OptimizerOptions, RegularizationOptions, ScheduleOptions
from millrace.model.patience import Patience
from millrace.runs.folder import RunFolder
from millrace.workers.events import EpochDone, Notice, StepDone
from millrace.workers.job import Job, Place
from millrace.workers.setup import Setup
from millrace.workers.verdicts import Verdicts
from tests.workers.runs import JOB, STEPS, VALIDATING, Watch, digits, lines, optimizer, train, weights

TEST = datasets.images(digits().test), datasets.labels(digits().test)
SHORT = dataclasses.replace(JOB, epochs=2)
METHODS: dict[str, dict[str, Any]] = {
    "nesterov": {"optimizer": OptimizerOptions("nesterov", 0.05, decay=1e-3)},
    "adagrad": {"optimizer": OptimizerOptions("adagrad", 0.05)},
    "rmsprop": {"optimizer": OptimizerOptions("rmsprop")},
    "adamw": {"optimizer": OptimizerOptions("adamw", decay=0.1)},
    "one-cycle": {"schedule": ScheduleOptions("one-cycle")},
    "dropout": {"regularization": RegularizationOptions(dropout=0.5, input_dropout=0.2)},
    "noise": {"regularization": RegularizationOptions(input_noise=0.3, weight_noise=0.02)},
    "nesterov and noise": {
        "optimizer": OptimizerOptions("nesterov", 0.05),
        "regularization": RegularizationOptions(weight_noise=0.02),
    },
    "mixup": {"regularization": RegularizationOptions(mixup=0.7)},
    "norms": {"regularization": RegularizationOptions(clip=0.5, max_norm=1.0, label_smoothing=0.1)},
    "average": {"regularization": RegularizationOptions(average=0.9), "subset": 90, "validation": 20},
    "skip": {"network": NetworkOptions(hidden=(12, 12), activation="gelu", norm="layer", skip=True)},
    "tanh": {"network": NetworkOptions(hidden=(12, 9), activation="tanh", norm="layer")},
    "int8": {"wire": "int8", "regularization": RegularizationOptions(clip=0.5)},
    "full": {"batch": "full", "slot_size": 9},
    "stochastic": {"batch": "stochastic", "slot_size": None, "subset": 10, "epochs": 1},
}


def bits(path: Path) -> tuple[bytes, bytes, list[object]]:
    measures = [[line[k] for k in ("step", "loss", "accuracy", "rate")] for line in lines(path / "metrics.jsonl")]
    epochs = [[line[k] for k in ("epoch", "validation_loss", "ledger")] for line in lines(path / "epochs.jsonl")]
    return weights(path), optimizer(path), [measures, epochs]


QUICK = ("nesterov and noise", "mixup", "average", "skip", "stochastic")  # one of each kind; the others are slow tests


@pytest.fixture(params=[name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in METHODS])
def method(request: pytest.FixtureRequest) -> Job:
    return dataclasses.replace(SHORT, **METHODS[request.param])


def test_no_method_heeds_who_computes_or_when_it_was_stopped(tmp_path: Path, method: Job) -> None:
    for workers in (1, 2, 3, 4):
        train(tmp_path / str(workers), method, Place(workers=workers))
    expected = bits(tmp_path / "1")
    for workers in (2, 3, 4):
        assert bits(tmp_path / str(workers)) == expected
    for until in (1, 2, 3, 5):
        if until < len(lines(tmp_path / "1" / "metrics.jsonl")):
            train(tmp_path / "stopped", method, Place(workers=2), until=until)
    train(tmp_path / "stopped", method, Place(workers=1))
    assert bits(tmp_path / "stopped") == expected


def test_each_method_changes_something(tmp_path: Path) -> None:
    seen = set()
    for name, changes in METHODS.items():
        train(tmp_path / name, dataclasses.replace(SHORT, **changes), Place(workers=2))
        seen.add(weights(tmp_path / name))
    train(tmp_path / "plain", SHORT)
    seen.add(weights(tmp_path / "plain"))
    # The average and the validation rows it is measured on change other rows of training: all differ.
    assert len(seen) == len(METHODS) + 1


# A rate so high that the validation loss does not always fall.
PLATEAU = dataclasses.replace(
    VALIDATING,
    epochs=8,
    optimizer=OptimizerOptions("momentum", 0.5),
    schedule=ScheduleOptions("plateau", factor=0.5, patience=1),
)
EARLY = dataclasses.replace(
    VALIDATING,
    epochs=30,
    optimizer=OptimizerOptions("momentum", 0.3),
    schedule=ScheduleOptions("constant"),
    regularization=RegularizationOptions(early_stopping=2),
)


def _expected_cuts(path: Path, patience: int) -> list[int]:
    """The epochs before which the rate must have been cut, from the losses that the run wrote down."""
    best, waited, cuts = float("inf"), 0, []
    for line in lines(path / "epochs.jsonl"):
        better = line["validation_loss"] < best
        best, waited = min(best, line["validation_loss"]), 0 if better else waited + 1
        if waited == patience:
            cuts.append(line["epoch"] + 1)
            waited = 0
    return cuts


def test_plateau_cuts_the_rate_where_the_validation_loss_stops_falling(tmp_path: Path) -> None:
    watch = Watch()
    train(tmp_path, PLATEAU, Place(workers=2), watch=watch)
    cuts = _expected_cuts(tmp_path, 1)
    assert len(cuts) >= 2
    for step in watch.of(StepDone):
        assert step.rate == 0.5 * 0.5 ** sum(epoch <= step.epoch for epoch in cuts)
    kept = RunFolder.open(tmp_path).latest()
    assert kept is not None
    assert kept.state["verdicts"]["cuts"] == cuts


def test_plateau_goes_on_in_the_same_bits_after_any_step(tmp_path: Path) -> None:
    train(tmp_path / "whole", PLATEAU, Place(workers=1))
    for until in (2, 3, 4, 6, 9, 13, 15, 20):
        train(tmp_path / "stopped", PLATEAU, Place(workers=3), until=until)
    train(tmp_path / "stopped", PLATEAU)
    assert bits(tmp_path / "stopped") == bits(tmp_path / "whole")


def test_early_stopping_ends_with_the_best_weights(tmp_path: Path) -> None:
    watch = Watch()
    done = train(tmp_path / "whole", EARLY, Place(workers=2), watch=watch)
    losses = [epoch.validation_loss for epoch in watch.of(EpochDone)]
    best = losses.index(min(losses))  # type: ignore[type-var]
    assert not done.stopped
    assert len(losses) == best + 3 < EARLY.epochs
    folder = RunFolder.open(tmp_path / "whole")
    kept, result = folder.best(), folder.result()
    assert kept is not None
    assert kept.step == (best + 1) * 3
    assert (result["best_epoch"], result["stopped_early"]) == (best, True)
    assert any("stopped early" in notice.text for notice in watch.of(Notice))
    # The test accuracy is that of the best weights.
    setup = Setup(EARLY, digits())
    x = setup.inputs.into(TEST[0], np.empty((360, 64), np.float32))
    right = (setup.network.logits(kept.weights, x).argmax(axis=1) == TEST[1]).sum()
    assert result["correct"] == right
    for until in (1, 3, 7, best * 3 + 3, best * 3 + 5):
        train(tmp_path / "stopped", EARLY, Place(workers=3), until=until)
    train(tmp_path / "stopped", EARLY)
    assert bits(tmp_path / "stopped") == bits(tmp_path / "whole")
    again = RunFolder.open(tmp_path / "stopped").best()
    assert again is not None
    assert np.array_equal(again.weights, kept.weights)


def test_a_finished_early_run_stays_finished(tmp_path: Path) -> None:
    train(tmp_path, EARLY)
    (tmp_path / "result.json").unlink()
    before = bits(tmp_path)
    assert not train(tmp_path, EARLY).stopped
    assert bits(tmp_path) == before


def test_without_the_test_set_there_is_no_test_result(tmp_path: Path) -> None:
    done = train(tmp_path, SHORT, Place(workers=1, test=False))
    assert (done.stopped, done.test_loss, done.test_accuracy) == (False, None, None)
    result = RunFolder.open(tmp_path).result()
    assert result["test_accuracy"] is None
    assert "correct" not in result


@pytest.mark.parametrize("job", [PLATEAU, EARLY])
def test_what_decides_by_validation_wants_a_validation_split(job: Job) -> None:
    with pytest.raises(UsageError, match="validation split"):
        Setup(dataclasses.replace(job, validation=0), digits()).check()
    Setup(job, digits()).check()


def test_a_schedule_longer_than_the_run_is_refused_before_it() -> None:
    long = dataclasses.replace(JOB, schedule=ScheduleOptions("linear", length=5))
    with pytest.raises(UsageError, match="longer than the run"):
        Setup(long, digits()).check()


def test_the_average_is_measured_in_place_of_the_weights(tmp_path: Path) -> None:
    job = dataclasses.replace(JOB, regularization=RegularizationOptions(average=0.99))
    done = train(tmp_path, job)
    kept = RunFolder.open(tmp_path).latest()
    assert kept is not None
    assert np.array_equal(kept.served, kept.optimizer["average"])
    assert not np.array_equal(kept.served, kept.weights)
    setup = Setup(job, digits())
    x = setup.inputs.into(TEST[0], np.empty((360, 64), np.float32))
    right = (setup.network.logits(kept.served, x).argmax(axis=1) == TEST[1]).mean()
    assert done.test_accuracy == right
    assert kept.step == STEPS


@pytest.mark.filterwarnings("ignore:.*encountered in matmul:RuntimeWarning")
def test_a_gradient_that_is_not_finite_is_not_clipped_but_named(tmp_path: Path) -> None:
    wild = dataclasses.replace(
        JOB, optimizer=OptimizerOptions("sgd", 1e30), regularization=RegularizationOptions(clip=1.0)
    )
    with pytest.raises(TrainingError, match="broke down"):
        train(tmp_path, wild)


def test_verdicts_survive_json() -> None:
    verdicts = Verdicts(PLATEAU, None)
    for epoch, loss in enumerate([1.0, 2.0, 0.5, 0.6, 0.7]):
        verdicts.see(epoch, loss)
    assert verdicts.cuts == (2, 4, 5)
    assert verdicts.best == Patience(0.5, 2, 2)
    again = Verdicts(PLATEAU, json.loads(json.dumps(verdicts.as_dict())))
    assert again.as_dict() == verdicts.as_dict()
