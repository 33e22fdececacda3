"""Read-ahead: a bound that holds, items that do not depend on who made them, errors that arrive, waits that end."""

import random
import threading
import time
from typing import Any

import pytest

from millrace.errors import DeadlineError, UsageError
from tests.pipeline.ahead import Broken, Gate, Key, Made, ahead, in_thread, keys, make, until


def test_without_help_items_are_made_when_they_are_taken() -> None:
    made: list[Key] = []

    def noted(step: int, slot: int) -> Made:
        made.append((step, slot))
        return make(step, slot)

    reading = ahead(noted)
    for key in [(0, 0), (0, 1), (1, 0)]:
        item, seconds = reading.take(*key)
        assert item == make(*key)
        assert seconds > 0
    assert made == [(0, 0), (0, 1), (1, 0)]
    assert reading.waiting == 0


def test_help_makes_the_next_item_and_taking_it_takes_no_time() -> None:
    reading = ahead()
    assert reading.help()
    assert reading.help()
    assert reading.waiting == 2
    assert reading.take(0, 1) == (make(0, 1), 0.0)
    assert reading.take(0, 0) == (make(0, 0), 0.0)
    assert reading.waiting == 0


@pytest.mark.parametrize(("bound", "room"), [(0, 0), (1, 1), (9, 1), (10, 1), (19, 1), (20, 2), (45, 4)])
def test_the_bound_is_in_bytes(bound: int, room: int) -> None:
    reading = ahead(bound=bound)
    assert [reading.help() for _ in range(room + 2)] == [True] * room + [False] * 2
    assert reading.waiting == room
    if room:
        reading.take(0, 0)
        assert reading.help()
        assert not reading.help()


def test_a_bound_of_nothing_leaves_its_threads_idle() -> None:
    reading = ahead(bound=0, threads=2)
    assert [reading.take(*key)[0] for key in keys(5)] == [make(*key) for key in keys(5)]
    assert reading.waiting == 0
    reading.close()


def test_what_was_taken_before_its_turn_is_not_made_again() -> None:
    made: list[Key] = []

    def noted(step: int, slot: int) -> Made:
        made.append((step, slot))
        return make(step, slot)

    reading = ahead(noted, bound=1000)
    for key in [(1, 0), (0, 1), (1, 1)]:
        reading.take(*key)
    assert reading.help()
    assert reading.help()
    assert made == [(1, 0), (0, 1), (1, 1), (0, 0), (2, 0)]


def test_nothing_is_remembered_of_what_was_taken() -> None:
    """Also where nobody ever helps: memory stays flat over any number of steps."""
    reading = ahead(keys=keys(10_000))
    for step in range(10_000):
        for slot in (1, 0):
            reading.take(step, slot)
    assert len(reading._early) == 0
    assert len(reading._claims) == 0
    assert not reading.help()


def test_the_end_of_the_keys_is_the_end_of_the_work() -> None:
    reading = ahead(keys=keys(1), bound=1000, threads=1)
    reading._threads[0].join(10)
    assert not reading._threads[0].is_alive()
    assert not reading.help()
    assert reading.take(0, 1)[0] == make(0, 1)
    assert reading.take(5, 0)[0] == make(5, 0)
    reading.close()


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
@pytest.mark.parametrize("bound", [0, 10, 50, 100_000])
def test_items_are_the_same_for_any_threads_and_bound(threads: int, bound: int) -> None:
    reading = ahead(bound=bound, threads=threads)
    order = list(keys(60))
    # Nearly in order, as workers take them.
    rng = random.Random(threads)
    order.sort(key=lambda key: key[0] * 2 + key[1] + rng.uniform(0, 5))
    for index, key in enumerate(order):
        assert reading.take(*key)[0] == make(*key)
        if index % 3 == 0:
            reading.help()
    reading.close()


def test_threads_keep_the_bound_full_and_never_pass_it() -> None:
    lock, counts = threading.Lock(), {"untaken": 0, "most": 0}

    def counted(step: int, slot: int) -> Made:
        with lock:
            counts["untaken"] += 1
            counts["most"] = max(counts["most"], counts["untaken"])
        time.sleep(0.0002)
        return make(step, slot)

    reading = ahead(counted, bound=50, threads=3)
    for key in keys(100):
        until(lambda: counts["untaken"] == 5 or reading._head is None)
        with lock:
            counts["untaken"] -= 1  # before its room is given to another
        reading.take(*key)
    assert counts["most"] == 5
    reading.close()


def test_a_taker_waits_for_what_a_helper_has_begun() -> None:
    gate = Gate()
    reading = ahead(gate, bound=10, threads=1)
    until(lambda: gate.entered)
    thread, results = in_thread(lambda: reading.take(0, 0))
    time.sleep(0.05)
    assert not results
    gate.open.set()
    thread.join(10)
    item, seconds = results[0]
    assert item == make(0, 0)
    assert 0 < seconds < 10
    assert gate.entered.count((0, 0)) == 1
    reading.close()


def test_a_helper_waits_for_no_one() -> None:
    """While one makes the first item, another makes the second: `make` runs outside of the lock."""
    gate = Gate()
    reading = ahead(gate, threads=2)
    until(lambda: set(gate.entered) == {(0, 0), (0, 1)})
    gate.open.set()
    assert reading.take(0, 0)[0] == make(0, 0)
    reading.close()


def broken(step: int, slot: int) -> Made:
    if (step, slot) == (0, 1):
        raise Broken("no such luck")
    return make(step, slot)


@pytest.mark.parametrize("way", ["on the spot", "help", "thread"])
def test_an_error_reaches_the_taker_and_nobody_else(way: str) -> None:
    reading = ahead(broken, threads=way == "thread")
    if way == "help":
        assert all(reading.help() for _ in range(4))
    if way == "thread":
        until(lambda: reading.waiting == 4)
    assert reading.take(0, 0)[0] == make(0, 0)
    with pytest.raises(Broken, match="no such luck"):
        reading.take(0, 1)
    # It goes on after that, and the room is free again.
    assert [reading.take(*key)[0] for key in [(1, 0), (1, 1), (2, 0)]] == [make(1, 0), make(1, 1), make(2, 0)]
    until(lambda: reading.waiting == 4 or not reading._threads)
    with pytest.raises(Broken):
        reading.take(0, 1)
    reading.close()


def test_an_error_reaches_a_taker_that_waits() -> None:
    gate = Gate()

    def late(step: int, slot: int) -> Made:
        gate(step, slot)
        raise Broken

    reading = ahead(late, bound=10, threads=1)
    until(lambda: gate.entered)
    thread, results = in_thread(lambda: reading.take(0, 0))
    time.sleep(0.02)
    gate.open.set()
    thread.join(10)
    assert isinstance(results[0], Broken)
    reading.close()


def test_an_interrupted_helper_leaves_nobody_waiting() -> None:
    def interrupted(step: int, slot: int) -> Made:
        raise KeyboardInterrupt

    reading = ahead(interrupted)
    with pytest.raises(KeyboardInterrupt):
        reading.help()
    with pytest.raises(KeyboardInterrupt):
        reading.take(0, 0)
    assert reading.waiting == 0


def test_two_takers_of_one_item_both_get_it() -> None:
    gate = Gate()
    reading = ahead(gate, bound=10, threads=1)
    until(lambda: gate.entered)
    takers = [in_thread(lambda: reading.take(0, 0)) for _ in range(3)]
    time.sleep(0.02)
    gate.open.set()
    for thread, results in takers:
        thread.join(10)
        assert results[0][0] == make(0, 0)
    reading.close()


def test_a_wait_has_a_deadline() -> None:
    gate = Gate()
    reading = ahead(gate, bound=10, threads=1, deadline=0.05)
    until(lambda: gate.entered)
    with pytest.raises(DeadlineError, match="step 0, slot 0 was not made") as caught:
        reading.take(0, 0)
    assert caught.value.expected == "within 0.05 s"
    with pytest.raises(DeadlineError, match="did not end"):
        reading.close()
    gate.open.set()
    until(lambda: not reading._threads[0].is_alive())
    reading.close()


def test_close_ends_the_threads_and_drops_what_is_made() -> None:
    reading = ahead(threads=3)
    until(lambda: reading.waiting == 4)
    reading.close()
    assert not any(thread.is_alive() for thread in reading._threads)
    assert reading.waiting == 0
    assert not reading.help()
    # Taking goes on, without reading ahead; closing again does no harm.
    assert reading.take(0, 0)[0] == make(0, 0)
    reading.close()


def test_close_during_a_take_leaves_nobody_waiting() -> None:
    gate = Gate()
    reading = ahead(gate, threads=2)
    until(lambda: len(gate.entered) == 2)
    taker, results = in_thread(lambda: reading.take(0, 0))
    closer, ended = in_thread(reading.close)
    time.sleep(0.02)
    gate.open.set()
    for thread in (taker, closer):
        thread.join(10)
        assert not thread.is_alive()
    assert results[0][0] == make(0, 0)
    assert ended == [None]
    assert reading.waiting == 0


@pytest.mark.parametrize("wrong", [{"bound": -1}, {"item_bytes": 0}, {"threads": -1}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="read-ahead is out of range"):
        ahead(**wrong)
