"""The trainer's side of a run on Ray: starts the actors, watches them, replaces the lost, and moves no arrays."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.exceptions import RayTaskError

from millrace.errors import DeadlineError, TrainingError
from millrace.workers.parameter_server import ServerState
from millrace.workers.ray_runtime.actors import Actors
from millrace.workers.ray_runtime.causes import cause_of, why
from millrace.workers.ray_runtime.messages import LOST, Status
from millrace.workers.ray_runtime.staffing import Incident, Staff, Staffing
from millrace.workers.ray_runtime.watch import Watch
from millrace.workers.runtime import Finished

ANSWER = 60.0  # seconds for one answer of the server
RESTART = 300.0  # seconds for the server to come, or to come back; a machine new to the program compiles kernels first
HELLO = 5.0  # seconds for it to say whether it has
STRAGGLER = 2.0  # seconds; and ten times the usual step
PERIOD = 0.25  # seconds between two looks at the server: each takes time from the workers
LEAVE = 10.0  # seconds for the workers to end
TRIES = 20  # of one call to a server that is lost again and again


class RayRuntime:
    """Actors that compute the steps; see `workers.runtime.Runtime`. `latest` reads the newest checkpoint's state."""

    def __init__(
        self,
        actors: Actors,
        staff: Staff,
        latest: Callable[[], ServerState | None],
        incident: Incident,
        state: ServerState | None,
        watch: Watch,
    ) -> None:
        self._actors, self._latest, self._incident, self._watch = actors, latest, incident, watch
        self._staffing = Staffing(actors, staff, incident, lambda name: self._call("leave", name))
        self.workers, self.augmenters = staff.least, len(actors.augmenters)
        self._state = state
        self._limit = self._next = state.version if state else 0
        self._cuts: tuple[int, ...] = ()
        self._usual: list[float] = []
        self._loosened = (-1, 0.0)
        self.retries = 0
        self.copied = 0
        self._incarnation = ""
        self._counted = ("", 0)  # the server's incarnation, and what it had copied

    def start(self) -> None:
        self._restore(self._state)
        self._state = None
        self._staffing.begin()

    def allow(self, limit: int) -> None:
        self._limit = limit
        self._call("allow", limit)

    def cut(self, epochs: Sequence[int]) -> None:
        self._cuts = tuple(epochs)
        self._call("cut", self._cuts)

    def finished(self, timeout: float) -> list[Finished]:
        self._staffing.watch(self._next)
        status: Status = self._call("status", self._next, max(timeout, PERIOD))
        fresh = [record for record in status.finished if record.update.step >= self._next]
        self.retries, self.workers = status.retries, len(status.members)
        self._count_copied(status)
        self._watch_step(status, fresh)
        self._staffing.tend(status, self._next)
        self._watch.look(status, self._next)
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
            state = self._call("snapshot", self._next)
            if state is not None:
                return state  # type: ignore[no-any-return]
            # The server replays steps that the trainer has seen before.
            self._staffing.watch(self._next)
            time.sleep(0.05)
        raise DeadlineError(
            "the parameter server did not reach the step again where it was lost",
            expected=f"step {self._next} within {RESTART * 2:g} s",
            got="an older version",
            do="`millrace resume` the run on more or faster workers",
        )

    def close(self) -> None:
        self._actors.close(LEAVE)

    def _call(self, method: str, *arguments: Any) -> Any:
        """The server's answer; where it died, it is restored from the newest checkpoint and asked again."""
        for _ in range(TRIES):
            # Looked up in each try: `_restore` may have put another server, elsewhere, in the place of the lost one.
            call = getattr(self._actors.server, method)
            try:
                return ray.get(call.remote(*arguments), timeout=ANSWER)
            except RayTaskError as error:
                raise cause_of(error) from error
            except LOST as error:
                node, before = self._actors.server_node, self._incarnation
                self._restore(None)
                kind = "parameter server lost" if before != self._incarnation else "message lost"
                self._incident(kind, "server", node, why(error), self._next)
        raise TrainingError(
            "the parameter server is lost again and again", got=f"{TRIES} times", do="look at its node's logs"
        )

    def _restore(self, state: ServerState | None) -> None:
        """Give the (restarted) server its state: the one at hand or the newest checkpoint's."""
        began = time.monotonic()
        while True:
            try:
                server = self._actors.server
                self._incarnation, whole, different = ray.get(server.hello.remote(), timeout=HELLO)
                if different and not self._staffing.admit_server("; ".join(different), self._next):
                    continue
                if not whole:
                    state = state or self._latest()
                    ray.get(server.restore.remote(state, self._limit, self._cuts), timeout=ANSWER)
                self._actors.find_server()
                return
            except RayTaskError as error:
                raise cause_of(error) from error
            except LOST as error:
                waited = time.monotonic() - began
                self._watch.server_late(waited)
                if waited > RESTART:
                    raise DeadlineError(
                        "the parameter server does not come back",
                        expected=f"a restart within {RESTART:g} s",
                        got=why(error),
                        do="add a node with a free CPU, then `millrace resume` the run",
                    ) from error
                if waited > HELLO:
                    self._staffing.give_way(self._next, waited)
                time.sleep(0.1)

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
            self._call("loosen")
