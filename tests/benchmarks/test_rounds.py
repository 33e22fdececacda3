"""Contenders that take turns: each round all, none always first; who holds a process lets go of it whatever happens."""

from collections.abc import Callable

import pytest

from benchmarks.loaders import OURS
from benchmarks.rounds import in_turns


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
