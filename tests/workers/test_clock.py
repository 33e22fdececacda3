"""Clocks: every moment of a thread is in one stage."""

import threading
import time

import pytest

from millrace.runs.stages import COMPUTE, DATA, IDLE, NAMES, WARP
from millrace.workers.clock import KEPT, Clock, Clocks, Stretch


def test_the_stages_sum_to_all_the_time() -> None:
    began = time.perf_counter()
    clock = Clock()
    assert clock.enter(DATA) == IDLE
    time.sleep(0.01)
    with clock.within(COMPUTE):
        time.sleep(0.02)
    spent, seconds = clock.spent, time.perf_counter() - began
    assert sum(spent.seconds) == pytest.approx(seconds, abs=2e-3)
    assert spent.seconds[COMPUTE] >= 0.02
    assert spent.squares[COMPUTE] == pytest.approx(spent.seconds[COMPUTE] ** 2)
    assert (spent.counts[DATA], spent.counts[COMPUTE], len(spent.counts)) == (1, 1, len(NAMES))


def test_a_stage_may_have_begun_before() -> None:
    clock = Clock(traced=True)
    began = clock.since
    clock.enter(DATA, began + 1.0)
    clock.enter(WARP, began + 3.0)
    assert clock.stretches is not None
    assert list(clock.stretches) == [Stretch(IDLE, began, began + 1.0), Stretch(DATA, began + 1.0, began + 3.0)]
    assert clock.spent.seconds[DATA] == pytest.approx(2.0)
    clock.enter(IDLE, began + 2.0)  # before what it entered since then
    assert clock.stretches[-1] == Stretch(WARP, began + 3.0, began + 3.0)


def test_a_trace_keeps_the_last_stretches() -> None:
    clock = Clock(traced=True)
    for _ in range(KEPT + 5):
        clock.enter(DATA)
    assert clock.stretches is not None
    assert len(clock.stretches) == KEPT


def test_each_thread_has_its_own() -> None:
    clocks = Clocks()
    found: list[Clock] = []
    for name in ("worker-0", "worker-1"):
        thread = threading.Thread(target=lambda: found.extend([clocks.here(), clocks.here()]), name=name)
        thread.start()
        thread.join(10)
    assert found[0] is found[1] is not found[2] is found[3]
    assert list(clocks.all) == ["worker-0", "worker-1"]
