"""The model of a step's time, against numbers made by hand."""

from dataclasses import fields
from typing import Any

import pytest

from benchmarks.scaling_model import WIRE, Constants, Setting, blocks, fetched, phases, ring, seconds, sent

WIRED = ("round", "pack", "unpack")  # by wire; nothing where a wire is not named
NAMES = [field.name for field in fields(Constants) if field.name not in WIRED]
ONES: dict[str, Any] = {name: float(name == "payload") for name in NAMES}
NOTHING = Constants(**ONES)
MILLION = 1_000_000
CARD = 4e6  # bytes a second: a vector of a million parameters takes a second


def made(workers: int, servers: int = 1, **other: object) -> Setting:
    return Setting(workers, servers, MILLION, 64, 8, **{"card": CARD, **other})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("workers", "servers", "busiest"),
    [
        (1, 1, 0.0),
        (4, 1, 3.0),  # each of the others has the whole vector from one node
        (4, 2, 1.5),  # three others have a half from each server
        (4, 4, 0.75),  # and a quarter; each takes in the three quarters that it lacks
        (8, 4, 1.75),
        (5, 4, 1.0),  # the node without a server takes in the whole vector
    ],
)
def test_the_busiest_card(workers: int, servers: int, busiest: float) -> None:
    assert fetched(made(workers, servers)).busiest / 4 / MILLION == pytest.approx(busiest)


def test_all_bytes_are_those_that_leave_a_node() -> None:
    # Of three workers each lacks two thirds of the weights.
    assert fetched(made(3, 3)).all == pytest.approx(3 * 2 / 3 * 4 * MILLION)
    assert sent(made(4, 1, wire="int8")).all == pytest.approx(3 * MILLION * 257 / 256)
    assert WIRE["bfloat16"] == 2


def test_shares_that_are_no_power_of_two_are_several_sums() -> None:
    assert blocks(made(4)) == [1, 1, 1, 1]
    # Of eight slots: 0-1, 2-3 and 4, 5 and 6-7.
    assert blocks(made(3)) == [1, 2, 2]
    assert sent(made(3)).busiest == pytest.approx(5 * 2 / 3 * 4 * MILLION)


def test_with_nothing_but_cards_a_step_is_the_bytes_there_and_back() -> None:
    assert seconds(made(4), NOTHING) == pytest.approx(6)
    assert seconds(made(4, wire="bfloat16"), NOTHING) == pytest.approx(4.5)
    assert seconds(made(4, 4), NOTHING) == pytest.approx(1.5)
    assert ring(made(4), NOTHING) == pytest.approx(1.5)  # as with a server on each node
    assert ring(made(64), NOTHING) == pytest.approx(2 * 63 / 64)


def test_messages_and_hops_are_counted() -> None:
    slow = Constants(**{**vars(NOTHING), "hop": 0.001, "part_core": 0.01, "call_core": 0.5})
    assert ring(made(4), slow) - ring(made(4), NOTHING) == pytest.approx(6 * 0.001)
    shared = made(4, 2, card=float("inf"), cores=2)
    # Eight parts of 0.01 s on two cores; but one process passes them on, in a quarter of a second each.
    assert phases(shared, slow)["sums to the servers"] == pytest.approx(2.0)
    quick = Constants(**{**vars(slow), "call_core": 0.0})
    assert phases(shared, quick)["sums to the servers"] == pytest.approx(0.04)


def test_cores_that_are_shared_are_waited_for() -> None:
    slow = Constants(**{**vars(NOTHING), "row": 1e-9})
    # 64 rows of a million parameters: 64 ms of a core, in all.
    assert seconds(made(1), slow) == pytest.approx(0.064)
    apart = made(8, 8, card=float("inf"), shared=False)
    assert seconds(apart, slow) == pytest.approx(0.008)
    assert phases(made(8, 8), slow)["gradients"] == pytest.approx(0.032)


def test_a_bound_of_one_has_two_batches_at_once() -> None:
    alone = seconds(made(2, staleness=1), NOTHING)
    assert alone == pytest.approx(2 / 2)  # one far worker: there and back; the near one's update comes meanwhile
    # Without a bound the near worker takes no time here, so the far one's does not count.
    slow = Constants(**{**vars(NOTHING), "row": 1 / 64 / MILLION})  # a second for a batch
    unbounded = seconds(made(3, staleness=None, cores=99), slow)
    assert unbounded == pytest.approx(1 / (1 + 2 / 3))
