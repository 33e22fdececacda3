"""Options refuse what cannot work, and say what would."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millrace.errors import UsageError
from millrace.model import initializers, optimizers, options, schedules
from millrace.model.fast import activations
from millrace.model.options import NetworkOptions, OptimizerOptions, RegularizationOptions, ScheduleOptions

ROOT = Path(__file__).resolve().parents[2]


def test_the_names_are_those_that_exist() -> None:
    assert set(options.ACTIVATIONS) == set(activations.ACTIVATIONS)
    assert set(options.INITIALIZERS) == set(initializers.INITIALIZERS)
    assert set(options.OPTIMIZERS) == set(optimizers.OPTIMIZERS)
    assert set(options.SCHEDULES) == set(schedules.SHAPES)


@pytest.mark.parametrize(
    ("kind", "arguments", "hint"),
    [
        (NetworkOptions, {"activation": "rellu"}, "did you mean 'relu'"),
        (NetworkOptions, {"activation": "gelo"}, "did you mean 'gelu'"),
        (NetworkOptions, {"norm": "layers"}, "did you mean 'layer'"),
        (NetworkOptions, {"preset": "lecture"}, "did you mean 'lecture-mnist'"),
        (NetworkOptions, {"initializer": "glorott"}, "did you mean 'glorot'"),
        (OptimizerOptions, {"name": "adamm"}, "did you mean 'adam'"),
        (OptimizerOptions, {"name": "nestorov"}, "did you mean 'nesterov'"),
        (ScheduleOptions, {"name": "cosin"}, "did you mean 'cosine'"),
        (ScheduleOptions, {"name": "onecycle"}, "did you mean 'one-cycle'"),
    ],
)
def test_unknown_names_get_a_suggestion(kind: Any, arguments: dict[str, Any], hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        kind(**arguments)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (NetworkOptions, {"hidden": (0,)}),
        (NetworkOptions, {"hidden": (10, -3)}),
        (NetworkOptions, {"hidden": (10.0,)}),
        (NetworkOptions, {"hidden": (True,)}),
        (NetworkOptions, {"hidden": (1 << 21,)}),
        (NetworkOptions, {"hidden": (1,) * 257}),
        (OptimizerOptions, {"rate": 0.0}),
        (OptimizerOptions, {"rate": -1.0}),
        (OptimizerOptions, {"rate": math.nan}),
        (OptimizerOptions, {"rate": math.inf}),
        (OptimizerOptions, {"rate": "fast"}),
        (OptimizerOptions, {"momentum": 1.0}),
        (OptimizerOptions, {"rho": 1.0}),
        (OptimizerOptions, {"rho1": -0.1}),
        (OptimizerOptions, {"rho2": 1.0}),
        (OptimizerOptions, {"delta": 0.0}),
        (OptimizerOptions, {"decay": -1e-4}),
        (NetworkOptions, {"expansion": 0}),
        (RegularizationOptions, {"dropout": 1.0}),
        (RegularizationOptions, {"dropout": -0.1}),
        (RegularizationOptions, {"input_dropout": 1}),
        (RegularizationOptions, {"input_noise": -1.0}),
        (RegularizationOptions, {"weight_noise": math.inf}),
        (RegularizationOptions, {"mixup": 1.5}),
        (RegularizationOptions, {"mixup": -0.1}),
        (RegularizationOptions, {"label_smoothing": 1.0}),
        (RegularizationOptions, {"clip": -1.0}),
        (RegularizationOptions, {"max_norm": math.nan}),
        (RegularizationOptions, {"average": 1.0}),
        (RegularizationOptions, {"early_stopping": -1}),
        (RegularizationOptions, {"early_stopping": 1.5}),
        (ScheduleOptions, {"warmup": -1.0}),
        (ScheduleOptions, {"length": math.nan}),
        (ScheduleOptions, {"final": 1.5}),
        (ScheduleOptions, {"final": -0.1}),
        (ScheduleOptions, {"name": "exponential", "final": 0.0}),
        (ScheduleOptions, {"factor": 0.0}),
        (ScheduleOptions, {"factor": 1.0}),
        (ScheduleOptions, {"every": 0.0}),
        (ScheduleOptions, {"patience": 0}),
        (ScheduleOptions, {"rise": 1.0}),
    ],
)
def test_impossible_values_are_refused(kind: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        kind(**arguments)
    assert caught.value.expected is not None


def test_edges_of_the_ranges_are_allowed() -> None:
    NetworkOptions(hidden=())
    OptimizerOptions(momentum=0.0, rho1=0, rho2=0, decay=0, delta=1e-12, rate=1)
    ScheduleOptions(final=1.0, warmup=0.5)
    ScheduleOptions(final=0)


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NetworkOptions().hidden = (1,)  # type: ignore[misc]


def test_options_and_the_front_door_load_without_numpy() -> None:
    code = "import sys, model, model.options; sys.exit('numpy' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_a_range_that_has_its_end_says_so() -> None:
    assert RegularizationOptions(mixup=1).mixup == ScheduleOptions(final=1).final == 1
    with pytest.raises(UsageError) as error:
        RegularizationOptions(mixup=1.2)
    assert error.value.expected == "a number from 0 to 1"
    with pytest.raises(UsageError) as error:
        ScheduleOptions("exponential", final=0.0)
    assert error.value.expected == "a number above 0, at most 1"
    for final in (True, "1"):
        with pytest.raises(UsageError):
            ScheduleOptions(final=final)  # type: ignore[arg-type]
