"""Learning rates against numbers computed by hand."""

import math
from itertools import pairwise

import pytest

from millrace.errors import UsageError
from millrace.model.options import ScheduleOptions
from millrace.model.patience import Patience
from millrace.model.schedules import plateau_factor, schedule


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


def test_step_cuts_every_so_many_epochs_after_the_warm_up() -> None:
    got = _rates(ScheduleOptions("step", every=3.0, factor=0.5, warmup=1.0), [9, 10, 39, 40, 69, 70, 99])
    assert got == [2.0, 2.0, 2.0, 1.0, 1.0, 0.5, 0.5]


def test_exponential_has_the_same_factor_everywhere() -> None:
    got = _rates(ScheduleOptions("exponential", final=0.01), [0, 50, 75, 100])
    assert got == pytest.approx([2.0, 0.2, 2 * 10**-1.5, 0.02], rel=1e-13)
    rates = _rates(ScheduleOptions("exponential", final=0.3), list(range(90)))
    assert all(b / a == pytest.approx(0.3**0.01, rel=1e-12) for a, b in pairwise(rates))


def test_one_cycle_rises_from_a_25th_and_falls_to_the_final_rate() -> None:
    got = _rates(ScheduleOptions("one-cycle", rise=0.4, final=0.0), [0, 20, 40, 70, 100])
    assert got == pytest.approx([0.08, 1.04, 2.0, 1.0, 0.0], abs=1e-15)


def test_one_cycle_is_that_of_pytorch() -> None:
    # torch.optim.lr_scheduler.OneCycleLR(max_lr=2, total_steps=101, pct_start=0.3, div_factor=25, final_div_factor=4)
    # of PyTorch 2.13: its peak lies at step 0.3 · 101 − 1 = 29.3, its end at 2/25/4 = 0.01 · 2.
    got = _rates(ScheduleOptions("one-cycle", rise=0.293), [0, 20, 29, 30, 60, 100])
    expected = [0.08, 1.5609816536407362, 1.9995033953237225, 1.9995211194690683, 1.213106537225035, 0.02]
    assert got == pytest.approx(expected, rel=1e-12)


def test_plateau_is_even_and_cut_from_given_epochs_on() -> None:
    options = ScheduleOptions("plateau", factor=0.5)
    assert _rates(options, [0, 99]) == [2.0, 2.0]
    assert [plateau_factor(options, (3, 5), epoch) for epoch in (0, 2, 3, 4, 5, 9)] == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_patience_waits_for_a_lower_loss_alone() -> None:
    seen = Patience()
    for epoch, loss in enumerate([1.0, 0.5, 0.5, math.nan, 0.6]):
        seen = seen.after(epoch, loss)
    assert seen == Patience(0.5, 1, 3)
    assert seen.restarted() == Patience(0.5, 1, 0)
    assert seen.after(5, 0.4) == Patience(0.4, 5, 0)


@pytest.mark.parametrize("name", ["constant", "linear", "step", "exponential", "cosine", "plateau"])
def test_warm_up_rises_in_equal_steps_and_meets_the_full_rate(name: str) -> None:
    got = _rates(ScheduleOptions(name, warmup=0.5, every=5.0), [0, 1, 2, 3, 4, 5])
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
        ScheduleOptions("one-cycle", length=11.0),
        ScheduleOptions("step", every=10.0),
        ScheduleOptions("step", every=6.0, warmup=4.0),
    ],
)
def test_a_schedule_longer_than_the_run_is_refused(options: ScheduleOptions) -> None:
    with pytest.raises(UsageError, match="longer than the run"):
        schedule(options, 1.0, 100, steps_per_epoch=10)
