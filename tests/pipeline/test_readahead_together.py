"""Read-ahead under many hands at once, and against a model of it under any sequence of calls."""

import random
import time

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.pipeline.ahead import Broken, Key, Made, ahead, in_thread, keys, make


@pytest.mark.parametrize("seed", range(4))
def test_many_takers_helpers_and_failures_at_once(seed: int) -> None:
    """Each item arrives once, right or with its own error; nobody hangs; the bound holds at every moment."""
    rng = random.Random(seed)
    failing = {(rng.randrange(150), rng.randrange(2)) for _ in range(5)}
    steps, bound = 150, 50

    def sometimes(step: int, slot: int) -> Made:
        if hash((step, slot, seed)) % 7 == 0:
            time.sleep(0.0003)
        if (step, slot) in failing:
            raise Broken(step, slot)
        return make(step, slot)

    reading = ahead(sometimes, keys=keys(steps), bound=bound, threads=seed, deadline=20.0)

    def take(slot: int) -> list[object]:
        got: list[object] = []
        for step in range(steps):
            try:
                got.append(reading.take(step, slot)[0])
            except Broken as error:
                got.append(error.args)
            reading.help()
            assert reading.waiting <= bound // 10
        return got

    workers = [in_thread(lambda slot=slot: take(slot)) for slot in (0, 1)]  # type: ignore[misc]
    for slot, (thread, results) in enumerate(workers):
        thread.join(20)
        assert not thread.is_alive()
        assert results[0] == [(s, slot) if (s, slot) in failing else make(s, slot) for s in range(steps)]
    reading.close()
    assert reading.waiting == 0
    assert not reading._early


class Model(RuleBasedStateMachine):
    """Any sequence of takes and helps in one thread, against a list of what has been made and what has been taken."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Key] = []
        self.order = list(keys(6))
        self.reading = ahead(self.make, keys=iter(self.order), bound=30)
        self.ready: list[Key] = []
        self.taken: set[Key] = set()

    def make(self, step: int, slot: int) -> Made:
        self.calls.append((step, slot))
        return make(step, slot)

    def left(self) -> list[Key]:
        return [key for key in self.order if key not in self.taken and key not in self.ready]

    @rule()
    def help(self) -> None:
        expected = len(self.ready) < 3 and bool(self.left())
        if expected:
            self.ready.append(self.left()[0])
        assert self.reading.help() == expected

    @rule(place=st.integers(0, 11))
    @precondition(lambda self: len(self.taken) < 12)
    def take(self, place: int) -> None:
        untaken = [key for key in self.order if key not in self.taken]
        key = untaken[place % len(untaken)]
        item, seconds = self.reading.take(*key)
        assert item == make(*key)
        assert (seconds == 0.0) == (key in self.ready)
        self.taken.add(key)
        self.ready = [other for other in self.ready if other != key]

    @invariant()
    def each_is_made_once(self) -> None:
        assert sorted(self.calls) == sorted([*self.taken, *self.ready])
        assert self.reading.waiting == len(self.ready)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
