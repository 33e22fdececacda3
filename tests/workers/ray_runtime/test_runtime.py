"""The trainer's calls to a server that is lost. Its answers are made here; a real server's: `test_ray_environments`."""

from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError

from millrace.workers.ray_runtime.runtime import RayRuntime
from millrace.workers.ray_runtime.staffing import Staff
from millrace.workers.setup import Setup
from tests.workers.runs import JOB, digits


class Call:
    """A method of an actor whose answer is known, or which is lost."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def remote(self, *arguments: object) -> object:
        return self._answer


class Server:
    """An actor by its handle."""

    def __init__(self, incarnation: str, different: list[str], allow: object) -> None:
        self.hello, self.allow, self.restore = Call((incarnation, False, different)), Call(allow), Call(incarnation)


class Actors:
    """A server that was lost and came back with another environment; beside it there is room for one that fits."""

    mixed, server_node, augmenters = False, "node", ()

    def __init__(self) -> None:
        self.server = Server("second", ["core: Prescott, not Zen"], ActorUnavailableError("killed", None))

    def find_server(self) -> None:
        return None

    def move_server(self, different: str) -> None:
        self.server = Server("third", [], "allowed")


def test_a_call_reaches_the_server_that_took_the_place_of_a_lost_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(answer: object, timeout: float) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("ray.get", get)
    incidents: list[str] = []
    actors: Any = Actors()
    watch: Any = None
    runtime = RayRuntime(
        Setup(JOB, digits()),
        actors,
        Staff(1, 1, 0),
        lambda: None,
        lambda kind, *rest: incidents.append(kind),
        None,
        watch,
    )
    runtime.allow(5)
    assert incidents == ["parameter server refused", "parameter server lost"]
