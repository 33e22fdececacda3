"""What a job and a place may be."""

import dataclasses
from typing import Any

import pytest

from millrace.errors import UsageError
from millrace.workers.job import Place
from tests.workers.runs import JOB


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("epochs", (0, -1, 1.5, True, "3")),
        ("batch", (0, -5, None)),
        ("seed", (-1, 2**32, 0.0)),
        ("validation", (-1, None)),
        ("slot_size", (0, 33)),
        ("subset", (0, -2)),
        ("normalize", ("standart",)),
    ],
)
def test_what_is_out_of_range_is_refused(field: str, values: tuple[Any, ...]) -> None:
    for value in values:
        with pytest.raises(UsageError):
            dataclasses.replace(JOB, **{field: value})


def test_the_ends_of_the_ranges_are_taken() -> None:
    dataclasses.replace(JOB, epochs=1, seed=2**32 - 1, slot_size=32, validation=0, subset=1)
    dataclasses.replace(JOB, batch=1, slot_size=None, subset=None, normalize="unit")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("workers", (-1, 1025, True)),
        ("augmenters", (-1, 1025)),
        ("servers", (0, -1, 1.5)),
        ("read_ahead", (-1, 2**21)),
        ("checkpoint_every", (0.0, -1.0, float("nan"))),
    ],
)
def test_a_place_out_of_range_is_refused(field: str, values: tuple[Any, ...]) -> None:
    for value in values:
        with pytest.raises(UsageError):
            Place(**{field: value})


def test_several_servers_are_for_ray() -> None:
    assert Place(runtime="ray", servers=3).servers == 3
    with pytest.raises(UsageError, match="add `runtime=ray`"):
        Place(servers=2)


def test_a_misspelt_way_to_normalize_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'standard'"):
        dataclasses.replace(JOB, normalize="standart")
