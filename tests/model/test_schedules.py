"""Learning rates against numbers computed by hand."""

import math

import pytest

from errors import UsageError
from model.options import ScheduleOptions
from model.schedules import schedule


def _rates(options: ScheduleOptions, steps: list[int], total: int = 100, base: float = 2.0) -> list[float]:
    rate = schedule(options, base, total, steps_per_epoch=10)
    return [rate(step) for step in steps]


def test_constant() -> None:
    assert _rates(ScheduleOptions("constant"), [0, 50, 99]) == [2.0, 2.0, 2.0]


def test_linear_goes_to_the_final_rate_at_the_end_of_the_run() -> None:
    got = _rates(ScheduleOptions("linear", final=0.01), [0, 25, 50, 99, 100])
    # (1 − a) · 2 + a · 0.02 with a = 0, ¼, ½, 0.99, 1
    assert got == pytest.approx([2.0, 1.505, 1.01, 0.0398, 0.02], rel=1e-14)


def test_linear_keeps_the_final_rate_after_its_length() -> None:
    got = _rates(ScheduleOptions("linear", length=4.0, final=0.5), [0, 20, 40, 41, 99])
    assert got == pytest.approx([2.0, 1.5, 1.0, 1.0, 1.0], rel=1e-14)


def test_cosine() -> None:
    got = _rates(ScheduleOptions("cosine", final=0.0), [0, 25, 50, 75, 100])
    half = math.sqrt(0.5)
    assert got == pytest.approx([2.0, 1 + half, 1.0, 1 - half, 0.0], rel=1e-14, abs=1e-15)
    third = _rates(ScheduleOptions("cosine", final=0.25), [30], total=90)
    assert third == pytest.approx([0.5 + 1.5 * 0.75], rel=1e-14)  # cos 60° = ½


@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
def test_warm_up_rises_in_equal_steps_and_meets_the_full_rate(name: str) -> None:
    got = _rates(ScheduleOptions(name, warmup=0.5), [0, 1, 2, 3, 4, 5])
    assert got == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0, 2.0], rel=1e-14)


def test_after_a_warm_up_the_shape_spans_the_rest() -> None:
    options = ScheduleOptions("linear", warmup=2.0, final=0.0)
    assert _rates(options, [20, 60, 100]) == pytest.approx([2.0, 1.0, 0.0])


def test_rates_fall_and_stay_between_the_ends() -> None:
    for name in ("linear", "cosine"):
        rates = _rates(ScheduleOptions(name, final=0.1), list(range(130)))
        assert rates == sorted(rates, reverse=True)
        assert rates[0] == 2.0
        assert rates[-1] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "options",
    [
        ScheduleOptions(warmup=10.0),
        ScheduleOptions("constant", warmup=11.0),
        ScheduleOptions("linear", length=10.1),
        ScheduleOptions("cosine", warmup=5.0, length=5.1),
    ],
)
def test_a_schedule_longer_than_the_run_is_refused(options: ScheduleOptions) -> None:
    with pytest.raises(UsageError, match="longer than the run"):
        schedule(options, 1.0, 100, steps_per_epoch=10)
