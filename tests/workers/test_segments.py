"""Weights in segments move as those of one server, in every bit: all update rules, all that is put around them."""

import asyncio
import dataclasses
from functools import cache

import numpy as np
import pytest

from millrace.errors import Diverged, UsageError
from millrace.model import CHUNK, NetworkOptions, OptimizerOptions, RegularizationOptions
from millrace.model.optimizers import OPTIMIZERS
from millrace.model.options import BFLOAT16, INT8
from millrace.workers.parameter_server import F32Array, ParameterServer, ServerState, Update
from millrace.workers.segment import Held, Move, Rules, Segment, Span, divided, own, spans, united
from millrace.workers.segments import Books
from millrace.workers.setup import Setup
from millrace.workers.tree import Block, Partial
from tests.workers.runs import JOB, digits

# 275,860 parameters: five chunks, the last one short; the second layer's weights lie in four of them.
NETWORK = NetworkOptions(hidden=(1000, 210), norm="layer")
ALL = RegularizationOptions(clip=0.05, max_norm=0.9, average=0.9, weight_noise=0.01)


class Here:
    """A holder in this process."""

    def __init__(self, rules: Rules, held: Held) -> None:
        self.segment = Segment(rules, own(held))

    async def squares(self, divisor: float) -> list[float]:
        return self.segment.squares(divisor)

    async def move(self, move: Move, last: bool) -> F32Array | None:
        self.segment.move(move)
        return self.segment.close() if last else None

    async def add_unit_squares(self, squares: list[np.ndarray]) -> list[np.ndarray]:
        return self.segment.add_unit_squares(squares)

    async def close(self, squares: list[np.ndarray]) -> F32Array:
        return self.segment.close(squares)


@cache
def setup(rule: str, regularization: RegularizationOptions) -> Setup:
    optimizer = OptimizerOptions(rule, 0.01, decay=1e-3)
    return Setup(
        dataclasses.replace(JOB, network=NETWORK, optimizer=optimizer, regularization=regularization), digits()
    )


@cache
def gradient(step: int, slot: int) -> F32Array:
    drawn = np.random.default_rng([step, slot]).standard_normal(setup("sgd", ALL).network.parameters, np.float32)
    drawn.flags.writeable = False
    return drawn


def slots(one: Setup, step: int) -> list[tuple[Block, Partial]]:
    count = one.order.slots(step)
    return [(Block(slot, 1), Partial(summed(one, step, slot), 0.1 * slot, slot, 2, (b"",))) for slot in range(count)]


def summed(one: Setup, step: int, slot: int) -> F32Array:
    if one.rounding is None:
        return gradient(step, slot)
    rounded = gradient(step, slot).copy()
    one.rounding.apply(rounded, step, slot, 1)
    return rounded


def whole(one: Setup, steps: int, state: ServerState | None = None) -> tuple[ServerState, F32Array, list[Update]]:
    server, updates = ParameterServer(one, state), []
    server.norm_wanted = True
    for step in range(server.version, server.version + steps):
        for block, partial in slots(one, step):
            server.contribute(step, block, partial)
        updates.append(server.update())
    return server.snapshot(), server.view.copy(), updates


def in_segments(
    one: Setup, steps: int, servers: int, state: ServerState | None = None
) -> tuple[ServerState, F32Array, list[Update]]:
    state = state or ServerState.first(one)
    holders, books = [Here(Rules.of(one), held) for held in divided(state, servers)], Books(one, state)
    books.norm_wanted = True
    views: list[F32Array] = []
    updates = []
    for step in range(books.version, books.version + steps):
        for block, partial in reversed(slots(one, step)):
            books.contribute(step, block, partial._replace(gradient=np.empty(0, np.float32)))
            for holder, span in zip(holders, spans(one.network.parameters, servers), strict=True):
                part = partial.gradient[span.begin : span.end]
                sent = part if one.rounding is None else one.rounding.pack(part)
                holder.segment.add(step, one.order.slots(step), [block], [sent])
        update, views = asyncio.run(books.advance(holders))
        updates.append(update)
    parts = [holder.segment.held() for holder in holders]
    return united(books.snapshot(), parts), np.concatenate(views), updates


def assert_equal(
    got: tuple[ServerState, F32Array, list[Update]], expected: tuple[ServerState, F32Array, list[Update]]
) -> None:
    (state, view, updates), (state2, view2, updates2) = got, expected
    assert updates == updates2
    assert view.tobytes() == view2.tobytes()
    assert state.weights.tobytes() == state2.weights.tobytes()
    assert {name: array.tobytes() for name, array in state.optimizer.items()} == {
        name: array.tobytes() for name, array in state2.optimizer.items()
    }
    assert (state.version, state.epoch_loss, state.ledger) == (state2.version, state2.epoch_loss, state2.ledger)


@pytest.mark.parametrize("rule", list(OPTIMIZERS))
def test_any_number_of_segments_ends_in_the_bits_of_one_server(rule: str) -> None:
    for regularization in (ALL, RegularizationOptions()):
        one = setup(rule, regularization)
        expected = whole(one, 2)
        for servers in (2, 5):
            assert_equal(in_segments(one, 2, servers), expected)


@pytest.mark.parametrize("wire", [BFLOAT16, INT8])
def test_rounded_sums_are_rounded_alike_in_segments(wire: str) -> None:
    """Their parts come packed; what is joined is rounded where the segment lies in the vector."""
    one = dataclasses.replace(setup("adam", ALL), job=dataclasses.replace(setup("adam", ALL).job, wire=wire))
    expected = whole(one, 2)
    assert expected[0].weights.tobytes() != whole(setup("adam", ALL), 2)[0].weights.tobytes()
    for servers in (1, 2, 5):
        assert_equal(in_segments(one, 2, servers), expected)


def test_what_is_around_the_rule_did_something() -> None:
    plain = whole(setup("adam", RegularizationOptions()), 2)[0].weights
    for option in ("clip", "max_norm"):
        alone = RegularizationOptions(**{option: getattr(ALL, option)})
        assert whole(setup("adam", alone), 2)[0].weights.tobytes() != plain.tobytes()


def test_a_run_goes_on_with_another_number_of_servers() -> None:
    one = setup("nesterov", ALL)
    between = in_segments(one, 1, 3)[0]
    assert_equal(in_segments(one, 2, 4, between), whole(one, 2, whole(one, 1)[0]))


def test_a_step_that_is_opened_again_forgets_what_came() -> None:
    one = setup("adam", RegularizationOptions())
    expected = whole(one, 1)[0].weights
    state = ServerState.first(one)
    holder, books = Here(Rules.of(one), divided(state, 1)[0]), Books(one, state)
    for turn in (0, 1):
        assert books.missing() == [0, 1, 2, 3]
        for block, partial in slots(one, 0):
            books.contribute(0, block, partial._replace(gradient=np.empty(0, np.float32)))
            holder.segment.add(turn, 4, [block], [partial.gradient])
        if turn == 0:
            books.reopen()
    asyncio.run(books.advance([holder]))
    assert holder.segment.held().weights.tobytes() == expected.tobytes()


def test_what_is_not_finite_ends_the_run_before_a_weight_moves() -> None:
    one = setup("adam", ALL)
    state = ServerState.first(one)
    holders, books = [Here(Rules.of(one), held) for held in divided(state, 2)], Books(one, state)
    broken = gradient(0, 0).copy()
    broken[-1] = np.inf
    for block, partial in slots(one, 0):
        books.contribute(0, block, partial._replace(gradient=np.empty(0, np.float32)))
        for holder, span in zip(holders, spans(len(broken), 2), strict=True):
            holder.segment.add(0, 4, [block], [broken[span.begin : span.end]])
    with pytest.raises(Diverged, match="a gradient that is not finite"):
        asyncio.run(books.advance(holders))
    assert united(books.snapshot(), [holder.segment.held() for holder in holders]).weights.tobytes() == (
        state.weights.tobytes()
    )


def test_spans_are_whole_chunks_and_as_even_as_these_allow() -> None:
    assert spans(3 * CHUNK + 1, 2) == [Span(0, 2 * CHUNK), Span(2 * CHUNK, 3 * CHUNK + 1)]
    assert spans(5, 1) == [Span(0, 5)]
    assert [span.length for span in spans(10 * CHUNK, 3)] == [3 * CHUNK, 3 * CHUNK, 4 * CHUNK]
    with pytest.raises(UsageError, match=r"cannot lie on 3 servers.*\n?.*at most 2"):
        spans(CHUNK + 1, 3)
