"""The trainer's side of a run on Ray: starts the actors, watches them, replaces the lost, and moves no arrays."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from errors import DeadlineError, MillraceError, TrainingError
from workers.parameter_server import ServerState
from workers.ray_runtime.actors import Actors
from workers.ray_runtime.cluster import resources
from workers.ray_runtime.messages import Status
from workers.runtime import Finished

ANSWER = 60.0  # seconds for one answer of the server
RESTART = 120.0  # seconds for the server to come back
STRAGGLER = 2.0  # seconds; and ten times the usual step
PERIOD = 0.25  # seconds between two looks at the server: each takes time from the workers
LEAVE = 10.0  # seconds for the workers to end

Incident = Callable[[str, str, str, str, int], None]  # kind, who, node, cause, step


@dataclass(frozen=True)
class Staff:
    """How many actors a run has: workers between least and most, augmenters (None: one per node)."""

    least: int
    most: int
    augmenters: int | None


class RayRuntime:
    """Actors that compute the steps; see `workers.runtime.Runtime`. `latest` reads the newest checkpoint's state."""

    def __init__(
        self,
        actors: Actors,
        staff: Staff,
        latest: Callable[[], ServerState | None],
        incident: Incident,
        state: ServerState | None,
    ) -> None:
        self._actors, self._staff = actors, staff
        self._latest, self._incident = latest, incident
        self.workers, self.augmenters = staff.least, actors.augmenter_count
        self._state = state
        self._limit = self._next = state.version if state else 0
        self._cuts: tuple[int, ...] = ()
        self._usual: list[float] = []
        self._loosened = (-1, 0.0)
        self._grow_at = 0.0
        self.retries = 0
        self.copied = 0
        self._counted = ("", 0)  # the server's incarnation, and what it had copied

    def start(self) -> None:
        self._restore(self._state)
        self._state = None
        for _ in range(self._staff.least):
            self._actors.add_worker()

    def allow(self, limit: int) -> None:
        self._limit = limit
        self._call(self._actors.server.allow, limit)

    def cut(self, epochs: Sequence[int]) -> None:
        self._cuts = tuple(epochs)
        self._call(self._actors.server.cut, self._cuts)

    def finished(self, timeout: float) -> list[Finished]:
        self._watch_workers()
        status: Status = self._call(self._actors.server.status, self._next, max(timeout, PERIOD))
        fresh = [record for record in status.finished if record.update.step >= self._next]
        self.retries, self.workers = status.retries, len(status.members)
        self._count_copied(status)
        self._watch_step(status, fresh)
        self._grow()
        self._next = fresh[-1].update.step + 1 if fresh else self._next
        return fresh

    def _count_copied(self, status: Status) -> None:
        """A restarted server counts from zero."""
        incarnation, before = self._counted
        self.copied += status.copied - (before if incarnation == status.incarnation else 0)
        self._counted = status.incarnation, status.copied

    def snapshot(self) -> ServerState:
        until = time.monotonic() + RESTART * 2
        while time.monotonic() < until:
            state = self._call(self._actors.server.snapshot, self._next)
            if state is not None:
                return state  # type: ignore[no-any-return]
            # The server replays steps that the trainer has seen before.
            self._watch_workers()
            time.sleep(0.05)
        raise DeadlineError("the server did not reach the step again", expected=self._next, got="an older version")

    def close(self) -> None:
        self._actors.close(LEAVE)

    def _call(self, method: Any, *arguments: Any) -> Any:
        """The server's answer; where it died, it is restored from the newest checkpoint and asked again."""
        for _ in range(20):
            try:
                return ray.get(method.remote(*arguments), timeout=ANSWER)
            except RayTaskError as error:
                raise _cause(error) from error
            except (RayActorError, GetTimeoutError) as error:
                self._incident("parameter server lost", "server", self._actors.server_node, _line(error), self._next)
                self._restore(None)
        raise TrainingError(
            "the parameter server is lost again and again", got="20 times", do="look at its node's logs"
        )

    def _restore(self, state: ServerState | None) -> None:
        """Give the (restarted) server its state: the one at hand or the newest checkpoint's."""
        until = time.monotonic() + RESTART
        while True:
            try:
                server = self._actors.server
                _, whole = ray.get(server.hello.remote(), timeout=ANSWER)
                if not whole:
                    state = state or self._latest()
                    ray.get(server.restore.remote(state, self._limit, self._cuts), timeout=ANSWER)
                self._actors.find_server()
                return
            except RayTaskError as error:
                raise _cause(error) from error
            except (RayActorError, GetTimeoutError) as error:
                if time.monotonic() > until:
                    raise DeadlineError(
                        "the parameter server does not come back",
                        expected=f"a restart within {RESTART:g} s",
                        got=_line(error),
                        do="add a node with a free CPU, then `millrace resume` the run",
                    ) from error
                time.sleep(0.1)

    def _watch_workers(self) -> None:
        """Replace workers that are gone; raise what went wrong in one that is not merely lost."""
        for name, node, error in self._actors.gone():
            if isinstance(error, RayTaskError):
                cause = _cause(error)
                if not isinstance(cause, MillraceError) or isinstance(cause, (TrainingError, DeadlineError)):
                    raise cause from error
                self._incident("worker refused", name, node, _line(cause), self._next)
                self._call(self._actors.server.leave, name)
                self._staff = Staff(self._staff.least - 1, self._staff.most, self._staff.augmenters)
                if not self._actors.worker_count:
                    raise cause from error
                continue
            self._call(self._actors.server.leave, name)
            if error is None:
                continue
            self._incident("worker lost", name, node, _line(error), self._next)
            if self._actors.worker_count < self._staff.least:
                self._actors.add_worker()

    def _watch_step(self, status: Status, fresh: list[Finished]) -> None:
        """Hand the missing slots of a step out again where it takes far longer than usual."""
        self._usual = (self._usual + [record.seconds for record in fresh])[-50:]
        usual = sorted(self._usual)[len(self._usual) // 2] if self._usual else 1.0
        patience = max(STRAGGLER, 10 * usual)
        version, when = self._loosened
        since = time.monotonic() - when if version == status.version else patience
        if len(status.members) > 1 and status.age > patience and status.missing and since >= patience:
            self._loosened = (status.version, time.monotonic())
            self._incident("straggler", f"slots {status.missing}", "", f"{status.age:.1f} s", status.version)
            self._call(self._actors.server.loosen)

    def _grow(self) -> None:
        """Once a second: more workers where nodes came, augmenters where there are none."""
        if time.monotonic() < self._grow_at:
            return
        self._grow_at = time.monotonic() + 1.0
        if self._actors.worker_count < self._staff.most and resources("available").get("CPU", 0) >= 1:
            name = self._actors.add_worker()
            if self._actors.worker_count > self._staff.least:
                self._incident("worker joined", name, "", "a CPU is free", self._next)


def _cause(error: RayTaskError) -> BaseException:
    cause = error.cause
    return cause if isinstance(cause, BaseException) else error


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
