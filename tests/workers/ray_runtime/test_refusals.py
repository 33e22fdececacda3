"""Nodes that are refused: for good, or until what went wrong there may have passed. Ray's answers are made here."""

from typing import Any

import pytest
from ray.exceptions import RayTaskError

from millrace.errors import DataError, DeadlineError, MillraceError, UsageError
from millrace.workers.ray_runtime import actors, augmenters
from millrace.workers.ray_runtime.actors import Actors
from millrace.workers.ray_runtime.augmenters import Augmenters
from millrace.workers.ray_runtime.refusals import Refusals

LATE = DeadlineError("the table does not come to this node", expected="a piece within 60 s")
FULL = DataError("the disk of the cache folder is full")
ELSE = UsageError("another environment than the run")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("cause", [None, FULL, ELSE])
def test_what_lasts_is_refused_for_good(cause: Exception | None) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    refusals.add("a", cause)
    clock.now += 1e9
    assert refusals.nodes == ["a"]
    assert "b" not in refusals
    assert refusals.around(["a", "b"]) == ["a"]
    assert refusals.around(["a"]) is None


def test_what_may_pass_is_tried_again_later_each_time_and_not_for_ever() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    for rest in (60, 120):
        refusals.add("a", LATE)
        clock.now += rest - 1
        assert refusals.around(["a", "b"]) == ["a"]
        assert refusals.around(["a"]) == []  # there is no other: it is tried at once
        clock.now += 1
        assert refusals.nodes == []
    refusals.add("a", LATE)
    clock.now += 1e9
    assert refusals.around(["a"]) is None


def test_what_lasts_stays_so_where_something_passes_there_too() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    refusals.add("a", FULL)
    refusals.add("a", LATE)
    clock.now += 1e9
    assert refusals.nodes == ["a"]


def test_a_node_that_is_not_known_is_none() -> None:
    refusals = Refusals()
    refusals.add("", FULL)
    assert refusals.around(["a"]) == []


@pytest.mark.parametrize(("cause", "again"), [(LATE, True), (FULL, False)])
def test_a_node_whose_augmenter_came_too_late_gets_another_one(
    monkeypatch: pytest.MonkeyPatch, cause: Exception, again: bool
) -> None:
    asked: list[str] = []
    spent: Any = None

    class Actor:
        """An augmenter that says why it is none."""

        @property
        def hello(self) -> "Actor":
            return self

        def remote(self) -> Exception:
            return RayTaskError("hello", "a traceback", cause)  # type: ignore[no-untyped-call]

    def add(self: Augmenters, node: str) -> None:
        asked.append(node)
        actor = Actor()
        self._all.append(augmenters._Augmenter(f"augmenter-{len(asked)}", actor, node, "", actor.remote(), spent))

    def get(answer: Exception, timeout: float) -> Any:
        raise answer

    monkeypatch.setattr("ray.wait", lambda answers, timeout: (answers, []))
    monkeypatch.setattr("ray.get", get)
    monkeypatch.setattr("ray.kill", lambda actor: None)
    monkeypatch.setattr(augmenters, "places", lambda: ["a"])
    monkeypatch.setattr(augmenters, "alive_nodes", lambda: ["a"])
    monkeypatch.setattr(Augmenters, "_add", add)
    job: Any = None
    helpers = Augmenters(job, job, None)
    clock = Clock()
    helpers._refused = Refusals(clock)
    assert helpers.fill()
    assert [loss.cause for loss in helpers.watch()] == [str(cause).splitlines()[0]]
    assert not helpers.fill()
    clock.now += 61
    assert helpers.fill() == again
    assert asked == ["a"] * (1 + again)


@pytest.mark.parametrize("cause", [LATE, FULL, ELSE])
def test_a_server_is_started_elsewhere_and_where_it_came_too_late_once_more(
    monkeypatch: pytest.MonkeyPatch, cause: MillraceError
) -> None:
    """Of two nodes it was refused on one, then on the other, where that lasts."""
    begun: list[list[str]] = []

    class Homes:
        """Servers that note where they are not started."""

        def begin(self, arguments: object, here: str, avoided: list[str]) -> str:
            begun.append(avoided)
            return "a server"

        def end(self) -> None:
            pass

    monkeypatch.setattr("ray.kill", lambda actor: None)
    monkeypatch.setattr(actors, "alive_nodes", lambda: ["a", "b"])
    run: Any = Actors.__new__(Actors)
    run._refusals, run.servers, run.server = Refusals(Clock()), Homes(), "a server"
    run._job = run._data = run.environment = run.mixed = run._here = None
    run._workers = {}
    run.move_server("a", cause)
    if cause is LATE:
        run.move_server("b", FULL)
        assert begun == [["a"], ["b"]]
    else:
        with pytest.raises(DataError, match="disk"):
            run.move_server("b", FULL)
        assert begun == [["a"]]
