"""Contenders that take turns: each round all, none always first; who holds a process lets go of it whatever happens."""

import time
from collections.abc import Callable

import pytest

from benchmarks import processes
from benchmarks.loaders import OURS
from benchmarks.rounds import Bounds, in_turns


class Noted:
    """A peer that notes what is asked of it."""

    def __init__(self, name: str, notes: list[str], value: Callable[[], float] = lambda: 2.0) -> None:
        self._name, self._notes, self._value = name, notes, value

    def __call__(self) -> float:
        self._notes.append(self._name)
        return self._value()

    def close(self) -> None:
        self._notes.append(f"{self._name} closed")


def fails(error: Exception) -> float:
    raise error


def test_peers_take_turns_and_are_closed() -> None:
    notes: list[str] = []
    ours = {OURS: Noted("ours", notes, lambda: 1.0)}
    found, missing = in_turns(ours, 2, {"a": lambda: Noted("a", notes), "b": lambda: Noted("b", notes)})
    assert found == {OURS: [1.0, 1.0], "a": [2.0, 2.0], "b": [2.0, 2.0]}
    assert missing == {}
    once = ["ours", "a", "b"]
    assert notes == [*once, *once, "a", "b", "ours", "b closed", "a closed"]


def test_who_cannot_be_measured_is_closed_too() -> None:
    notes: list[str] = []
    peers = {"a": lambda: Noted("a", notes, lambda: fails(ImportError("a"))), "b": lambda: Noted("b", notes)}
    found, missing = in_turns({OURS: lambda: 1.0}, 1, peers)
    assert found == {OURS: [1.0], "b": [2.0]}
    assert missing == {"a": "not installed (a)"}
    assert sorted(notes) == ["a", "a closed", "b", "b", "b closed"]


def test_peers_are_closed_where_we_fail() -> None:
    notes: list[str] = []
    with pytest.raises(RuntimeError, match="no images"):
        in_turns({OURS: lambda: fails(ValueError("no images"))}, 1, {"a": lambda: Noted("a", notes)})
    assert notes[-1] == "a closed"


def test_a_peer_that_cannot_begin_leaves_none_behind() -> None:
    notes: list[str] = []

    def begin() -> Noted:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        in_turns({OURS: lambda: 1.0}, 1, {"a": lambda: Noted("a", notes), "b": begin})
    assert notes == ["a closed"]


def test_trying_a_cold_contender_is_its_first_round_and_slow_starters_have_part_in_the_first_ones() -> None:
    notes: list[str] = []
    contenders = {OURS: Noted("ours", notes), "a": Noted("a", notes)}
    found, _ = in_turns(contenders, 3, bounds=Bounds(rare={"a": 2}, cold=True))
    assert {name: len(values) for name, values in found.items()} == {OURS: 3, "a": 2}
    assert notes == ["ours", "a", "a", "ours", "ours"]


def test_no_round_begins_that_would_end_too_late() -> None:
    def slow() -> float:
        time.sleep(0.2)
        return 2.0

    contenders = {OURS: lambda: 1.0, "a": slow, "b": slow}
    found, missing = in_turns(contenders, 5, bounds=Bounds(seconds=0.1, cold=True))
    assert found == {OURS: [1.0], "a": [2.0]}
    assert missing == {"b": "no time was left within 0.1 s, others took it"}


def test_no_turn_is_too_late_for_those_without_whom_there_is_no_row() -> None:
    def slow() -> float:
        time.sleep(0.05)
        return 1.0

    contenders = {"slots of 32": slow, "bare products": lambda: 3.0, "a": lambda: 2.0}
    bounds = Bounds(seconds=0.01, cold=True, always=["slots of 32", "bare products"])
    found, missing = in_turns(contenders, 5, bounds=bounds)
    assert found == {"slots of 32": [1.0], "bare products": [3.0]}
    assert missing == {"a": "no time was left within 0.01 s, others took it"}
    with pytest.raises(RuntimeError, match="no images"):
        in_turns({"slots of 32": lambda: fails(ValueError("no images"))}, 1, bounds=bounds)


def test_a_process_that_does_not_answer_is_not_waited_for() -> None:
    peers = {"a": lambda: processes.Asked(["-c", "import time; time.sleep(60)"], 0.1)}
    begun = time.monotonic()
    found, missing = in_turns({OURS: lambda: 1.0}, 1, peers, Bounds(cold=True))
    assert found == {OURS: [1.0]}
    assert missing == {"a": "OSError: no answer within 0.1 s"}
    assert time.monotonic() - begun < 20


def test_who_fails_later_keeps_what_was_measured_and_the_reason_is_told() -> None:
    answers = iter([2.0, 3.0])
    found, missing = in_turns({OURS: lambda: 1.0, "a": lambda: next(answers)}, 4, bounds=Bounds(cold=True))
    assert found == {OURS: [1.0] * 4, "a": [2.0, 3.0]}
    assert missing == {"a": "in round 3: StopIteration: "}
