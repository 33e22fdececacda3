"""The trainer's calls to a server that is lost. Its answers are made here; a real server's: `test_ray_environments`."""

import dataclasses
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError, RayTaskError

from millrace.errors import DataError, MillraceError
from millrace.workers.parameter_server import ServerState
from millrace.workers.ray_runtime.messages import ServerLoss, Status
from millrace.workers.ray_runtime.runtime import RayRuntime
from millrace.workers.ray_runtime.staffing import Staff
from millrace.workers.runtime import Rewound
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

    def __init__(self, hello: object, allow: object, refused: ServerLoss | None = None) -> None:
        self.hello, self.allow, self.refused = Call(hello), Call(allow), Call(refused)
        self.restore = Call("" if refused else "incarnation")


class Actors:
    """A server that was lost and came back where it does not fit; beside it there is room for one that does."""

    mixed, server_node, augmenters, environment = False, "node", (), "core: Zen"

    def __init__(self, hello: object, refused: ServerLoss | None) -> None:
        self.server = Server(hello, ActorUnavailableError("killed", None), refused)
        self.avoided = ""

    def find_server(self) -> None:
        return None

    def move_server(self, node: str, refusal: MillraceError) -> None:
        self.avoided = node
        self.server = Server(("third", False, []), "allowed")


FULL = RayTaskError("hello", "a traceback", DataError("the disk of the cache folder is full"))  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call of `ray.get` gives."""

    def get(answer: object, timeout: float) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("ray.get", get)


@pytest.mark.parametrize(
    ("hello", "refused", "cause"),
    [
        (("second", False, ["core: Prescott, not Zen"]), None, "core: Prescott, not Zen"),
        (FULL, None, "the disk of the cache folder is full"),
        (("second", False, []), ServerLoss("server-1", "another", "core: Prescott"), "core: Prescott"),
    ],
    ids=["another environment", "no room for the table", "another of several"],
)
def test_a_call_reaches_the_server_that_took_the_place_of_a_lost_one(
    hello: object, refused: ServerLoss | None, cause: str
) -> None:
    incidents: list[tuple[str, str]] = []
    actors: Any = Actors(hello, refused)
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
    assert actors.avoided == (refused.node if refused else "node")


class Returned:
    """A server that died and came back while nobody asked: it answers, and knows nothing until it is restored."""

    mixed, server_node, augmenters, worker_count = False, "node", (), 1

    def __init__(self, state: ServerState) -> None:
        self._state, self.restored = state, list[tuple[object, ...]]()
        self.server = self

    hello = Call(("second", False, []))
    status = Call(Status("second", -1, [], 0.0, [], (), (), {}, 0, 0))

    @property
    def snapshot(self) -> Call:
        return Call(self._state if self.restored else None)

    @property
    def restore(self) -> "Returned":
        return self

    def remote(self, *arguments: object) -> str:
        self.restored.append(arguments)
        return "second"

    def find_server(self) -> None:
        return None

    def gone(self) -> list[object]:
        return []


class Finished(Returned):
    """Such a server, whose only worker has ended since it saw the last step done; it has a snapshot once another one
    has done again what was lost."""

    def __init__(self, state: ServerState) -> None:
        super().__init__(state)
        self.worker_count, self.left = 1, list[str]()

    @property
    def snapshot(self) -> Call:
        return Call(self._state if self.worker_count and self.left else None)

    leave = Call(None)

    def gone(self) -> list[object]:
        if self.left or not self.restored:
            return []
        self.left.append("worker-0")
        self.worker_count -= 1
        return [("worker-0", "node", None)]

    def add_worker(self) -> None:
        self.worker_count += 1


@pytest.mark.timeout(20)
def test_workers_come_again_where_a_server_is_lost_after_they_ended() -> None:
    setup = Setup(JOB, digits())
    state = ServerState.first(setup)
    actors: Any = Finished(state)
    watch: Any = None
    runtime = RayRuntime(setup, actors, Staff(1, 1, 0), lambda: state, lambda *_: None, None, watch)
    runtime._incarnation = "first"
    assert runtime.snapshot() is state
    assert (actors.left, actors.worker_count) == (["worker-0"], 1)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("staleness", [0, 3])
def test_a_server_that_came_back_unseen_is_restored(staleness: int) -> None:
    setup = Setup(dataclasses.replace(JOB, staleness=staleness), digits())
    state = dataclasses.replace(ServerState.first(setup), version=4)
    incidents: list[str] = []
    actors: Any = Returned(state)
    watch: Any = None

    def incident(kind: str, *rest: object) -> None:
        incidents.append(kind)

    runtime = RayRuntime(setup, actors, Staff(1, 1, 0), lambda: state, incident, None, watch)
    runtime._incarnation, runtime._limit, runtime._cuts = "first", 9, (2,)
    if staleness:
        with pytest.raises(Rewound):
            runtime.snapshot()
        assert actors.restored == [(state, 4, ())]  # it waits there for the trainer
    assert runtime.snapshot() is state
    assert actors.restored == [(state, *((4, ()) if staleness else (9, (2,))))]
    assert incidents == ["parameter server lost"]
