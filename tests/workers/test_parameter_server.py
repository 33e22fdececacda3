"""The server against a model of it: contributions reordered, repeated, stale, overlapping."""

import dataclasses
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from millrace.errors import Diverged, TrainingError
from millrace.workers.ledger import EMPTY, extend
from millrace.workers.parameter_server import ParameterServer, ServerState, Update
from millrace.workers.setup import Setup
from millrace.workers.tree import Block, Partial, aligned, join, root
from tests.workers.runs import JOB, STEPS, STEPS_PER_EPOCH, digits


@cache
def setup() -> Setup:
    return Setup(JOB, digits())


def leaf(step: int, slot: int) -> Partial:
    """What a worker would send for one slot; always the same."""
    rng = np.random.default_rng([step, slot])
    gradient = rng.standard_normal(setup().network.parameters).astype(np.float32)
    first, last = setup().order.span(step, slot)
    return Partial(gradient, float(rng.random()), slot, last - first, (bytes([step, slot]),))


def partial(step: int, block: Block) -> Partial:
    if block.size == 1:
        return leaf(step, block.start)
    half = block.size // 2
    left = partial(step, Block(block.start, half))
    right = Block(block.start + half, half)
    return join(left, partial(step, right)) if right.start < setup().order.slots(step) else left


def plainly(steps: int) -> tuple[list[Update], ServerState]:
    """The run as it is without any accident."""
    server, updates = ParameterServer(setup()), []
    for step in range(steps):
        for slot in range(setup().order.slots(step)):
            server.contribute(step, Block(slot, 1), leaf(step, slot))
        updates.append(server.update())
    return updates, server.snapshot()


@cache
def plain() -> list[Update]:
    return plainly(STEPS)[0]


@cache
def plain_weights(steps: int) -> bytes:
    return plainly(steps)[1].weights.tobytes()


class Contributions(RuleBasedStateMachine):
    """Any sequence of contributions; the model is the set of covered slots of the current step."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ParameterServer(setup())
        self.covered: set[int] = set()
        self.step = 0

    @precondition(lambda self: self.step < STEPS)
    @rule(data=st.data())
    def contribute(self, data: st.DataObject) -> None:
        slots = setup().order.slots(self.step)
        size = data.draw(st.sampled_from([1, 2, 4]).filter(lambda size: size <= root(slots).size))
        block = Block(data.draw(st.integers(0, (slots - 1) // size)) * size, size)
        own = set(range(block.start, min(block.end, slots)))
        taken = not own & self.covered
        self.covered |= own if taken else set()
        complete = len(self.covered) == slots
        found = self.server.contribute(self.step, block, partial(self.step, block))
        assert found == (taken, taken and complete)
        if taken and complete:
            assert self.server.update() == plain()[self.step]
            self.step, self.covered = self.step + 1, set()

    @rule(away=st.sampled_from([-2, -1, 1, 3]))
    def contribute_to_another_step(self, away: int) -> None:
        step = self.step + away
        if 0 <= step < STEPS:
            assert self.server.contribute(step, Block(0, 1), leaf(step, 0)) == (False, False)

    @precondition(lambda self: self.step < STEPS)
    @rule()
    def start_again_from_a_snapshot(self) -> None:
        self.server, self.covered = ParameterServer(setup(), self.server.snapshot()), set()

    @precondition(lambda self: self.step < STEPS)
    @rule()
    def finish_the_step(self) -> None:
        missing = self.server.missing()
        for block in aligned(min(missing), max(missing) + 1):
            for slot in range(block.start, block.end):
                if slot in missing:
                    self.server.contribute(self.step, Block(slot, 1), leaf(self.step, slot))
        assert self.server.update() == plain()[self.step]
        self.step, self.covered = self.step + 1, set()

    @invariant()
    def holds(self) -> None:
        assert self.server.version == self.step
        if self.step < STEPS:
            assert self.server.missing() == sorted(set(range(setup().order.slots(self.step))) - self.covered)
        else:
            assert self.server.missing() == []
            assert self.server.contribute(self.step, Block(0, 1), leaf(0, 0)) == (False, False)

    def teardown(self) -> None:
        assert self.server.snapshot().weights.tobytes() == plain_weights(self.step)


TestContributions = Contributions.TestCase
TestContributions.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_the_update_averages_over_the_true_number_of_samples() -> None:
    sgd = dataclasses.replace(JOB, optimizer=dataclasses.replace(JOB.optimizer, name="sgd", rate=0.5))
    one = Setup(sgd, digits())
    server = ParameterServer(one, ServerState(2, one.network.initial(0), {}))
    before, sent = server.snapshot().weights, leaf(2, 0)
    assert server.contribute(2, Block(0, 1), sent) == (True, True)
    update = server.update()
    assert update.samples == 6
    expected = before.astype(np.float64) - one.schedule(2) * sent.gradient.astype(np.float64) / 6
    np.testing.assert_allclose(server.snapshot().weights, expected, rtol=1e-5, atol=1e-6)


def test_the_norm_is_of_the_averaged_gradient_and_changes_no_bit() -> None:
    server, norms = ParameterServer(setup()), []
    for step in range(STEPS_PER_EPOCH):
        server.norm_wanted = step != 1
        slots = setup().order.slots(step)
        for slot in range(slots):
            server.contribute(step, Block(slot, 1), leaf(step, slot))
        norms.append(server.update().norm)
        if step != 1:
            total = np.sum([leaf(step, slot).gradient.astype(np.float64) for slot in range(slots)], axis=0)
            samples = sum(leaf(step, slot).samples for slot in range(slots))
            assert norms[-1] == pytest.approx(np.linalg.norm(total / samples), rel=1e-6)
    assert norms[1] is None
    assert server.snapshot().weights.tobytes() == plain_weights(STEPS_PER_EPOCH)


def test_the_sums_of_the_epoch_start_anew_with_each() -> None:
    for update in plain():
        first = update.step // STEPS_PER_EPOCH * STEPS_PER_EPOCH
        own = plain()[first : update.step + 1]
        assert update.epoch_samples == sum(u.samples for u in own)
        assert update.epoch_correct == sum(u.correct for u in own)
        assert update.epoch_loss == pytest.approx(sum(u.loss for u in own))
        slots = setup().order.slots(update.step)
        before = EMPTY if update.step == first else plain()[update.step - 1].ledger
        assert update.ledger == extend(before, [bytes([update.step, slot]) for slot in range(slots)])
    assert plain()[-1].epoch_samples == 70


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_keeps_the_weights(loss: float) -> None:
    server = ParameterServer(setup())
    before = server.snapshot()
    for slot in range(4):
        sent = leaf(0, slot)
        server.contribute(0, Block(slot, 1), sent._replace(loss=loss if slot == 2 else sent.loss))
    with pytest.raises(Diverged, match="training broke down at step 0"):
        server.update()
    after = server.snapshot()
    assert after.version == 0
    assert after.weights.tobytes() == before.weights.tobytes()


def test_weights_that_are_not_finite_are_not_kept() -> None:
    weights = setup().network.initial(0)
    weights[5] = np.inf
    server = ParameterServer(setup(), ServerState(4, weights, setup().optimizer.initial_state(len(weights))))
    with pytest.raises(Diverged, match="training broke down at step 3"):
        server.snapshot()


def test_there_is_nothing_after_the_last_step() -> None:
    server = ParameterServer(setup(), plainly(STEPS)[1])
    with pytest.raises(TrainingError, match="no step left"):
        server.update()


def test_a_snapshot_is_a_copy() -> None:
    server = ParameterServer(setup())
    state = server.snapshot()
    state.weights[:] = 0
    for array in state.optimizer.values():
        array[:] = 9
    assert server.snapshot().weights.any()
    assert not any((array == 9).any() for array in server.snapshot().optimizer.values())
