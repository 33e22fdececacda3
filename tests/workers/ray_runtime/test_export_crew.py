"""Actors of an export that are lost together; what Ray answers is made here. Real ones: `test_ray_export`."""

from collections.abc import Callable
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from millrace.errors import MillraceError
from millrace.workers.ray_runtime import export
from millrace.workers.ray_runtime.export import TRIES


class Actor:
    """Dead, or not, once it has begun."""

    def __init__(self, number: int, dead: bool) -> None:
        self._number, self._dead = number, dead

    @property
    def ready(self) -> Any:
        return _Call(lambda: "node")

    @property
    def alive(self) -> Any:
        return _Call(self._answer)

    @property
    def shard(self) -> Any:
        return _Call(self._answer)

    def _answer(self) -> int:
        if self._dead:
            raise ActorDiedError()
        return self._number


class _Call:
    def __init__(self, answer: Callable[[], object]) -> None:
        self._answer = answer

    def remote(self, *arguments: object) -> Callable[[], object]:
        return lambda: self._answer()


class Cluster:
    """The calls of Ray; of the actors that it starts all are lost but those whose numbers are given."""

    def __init__(self, living: set[int]) -> None:
        self._living, self._started = living, 0

    def remote(self, *given: object) -> Any:
        if given and isinstance(given[0], type):
            return self
        self._started += 1
        return Actor(self._started, self._started not in self._living)

    def options(self, **options: object) -> "Cluster":
        return self

    @staticmethod
    def wait(references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return references, []

    @staticmethod
    def get(reference: Callable[[], object], timeout: float) -> object:
        return reference()

    @staticmethod
    def kill(actor: Actor) -> None:
        return None


class Mapped:
    def __init__(self, offer: object) -> None:
        pass

    def fresh(self, nodes: list[str]) -> list[object]:
        return []


def written(monkeypatch: pytest.MonkeyPatch, living: set[int], size: int) -> list[Any]:
    monkeypatch.setattr(export, "ray", Cluster(living))
    monkeypatch.setattr(export, "MappedNodes", Mapped)
    offer: Any = None
    crew = export._Crew(None, offer, size, lambda text: None)
    try:
        return list(crew.deal([0], lambda: False))
    finally:
        crew.close()


def test_idle_actors_that_are_lost_with_another_cost_its_shard_no_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(monkeypatch, {1}, 2 * TRIES) == [1]


def test_a_shard_that_ends_every_actor_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MillraceError, match=f"each of {TRIES} actors was lost with shard 0"):
        written(monkeypatch, set(), 2)
