"""The trainer's calls to a server that is lost. Its answers are made here; a real server's: `test_ray_environments`."""

from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError, RayTaskError

from millrace.errors import DataError, MillraceError
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

    def __init__(self, hello: object, allow: object) -> None:
        self.hello, self.allow, self.restore = Call(hello), Call(allow), Call("incarnation")


class Actors:
    """A server that was lost and came back where it does not fit; beside it there is room for one that does."""

    mixed, server_node, augmenters, environment = False, "node", (), "core: Zen"

    def __init__(self, hello: object) -> None:
        self.server = Server(hello, ActorUnavailableError("killed", None))

    def find_server(self) -> None:
        return None

    def move_server(self, refusal: MillraceError) -> None:
        self.server = Server(("third", False, []), "allowed")


FULL = RayTaskError("hello", "a traceback", DataError("the disk of the cache folder is full"))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("hello", "cause"),
    [
        (("second", False, ["core: Prescott, not Zen"]), "core: Prescott, not Zen"),
        (FULL, "the disk of the cache folder is full"),
    ],
    ids=["another environment", "no room for the table"],
)
def test_a_call_reaches_the_server_that_took_the_place_of_a_lost_one(
    monkeypatch: pytest.MonkeyPatch, hello: object, cause: str
) -> None:
    def get(answer: object, timeout: float) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("ray.get", get)
    incidents: list[tuple[str, str]] = []
    actors: Any = Actors(hello)
    watch: Any = None
    runtime = RayRuntime(
        Setup(JOB, digits()),
        actors,
        Staff(1, 1, 0),
        lambda: None,
        lambda kind, who, node, cause, step: incidents.append((kind, cause)),
        None,
        watch,
    )
    runtime.allow(5)
    assert incidents[0] == ("parameter server refused", cause)
    assert [kind for kind, _ in incidents[1:]] == ["parameter server lost"]
