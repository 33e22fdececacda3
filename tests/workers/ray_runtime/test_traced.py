"""The time of an actor elsewhere, as the process that asks counts it."""

from time import perf_counter, sleep

import pytest

pytestmark = pytest.mark.ray


def test_elsewhere_the_quickest_answer_counts() -> None:
    from millrace.workers.ray_runtime.traced import Moment, behind

    late = iter([0.04, 0.0, 0.02, 0.02, 0.02])

    def ask() -> Moment:
        there = Moment("another kernel", perf_counter() - 1000)
        sleep(next(late))
        return there

    assert behind(ask) == pytest.approx(1000, abs=0.005)


def test_processes_of_one_machine_have_one_clock() -> None:
    from millrace.workers.ray_runtime.traced import Moment, behind

    assert behind(lambda: Moment(Moment.here().boot, 5.0)) == 0.0
