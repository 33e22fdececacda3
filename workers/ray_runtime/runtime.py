"""The trainer's side of a run on Ray: starts the actors, watches them, replaces the lost, and moves no arrays."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from millrace.errors import DataError, DeadlineError, TrainingError
from millrace.runs import Spent
from millrace.workers.parameter_server import ServerState, Update
from millrace.workers.ray_runtime.actors import Actors
from millrace.workers.ray_runtime.causes import cause_of, why
from millrace.workers.ray_runtime.cluster import all_cores
from millrace.workers.ray_runtime.messages import LOST, ServerLoss, Status
from millrace.workers.ray_runtime.slowness import Slowness
from millrace.workers.ray_runtime.staffing import Incident, Staff, Staffing
from millrace.workers.ray_runtime.watch import Watch
from millrace.workers.runtime import Rewound
from millrace.workers.setup import Setup
from millrace.workers.standstill import Standstill

ANSWER = 60.0  # seconds for one answer of the server
RESTART = 300.0  # seconds for the server to come, or to come back; a machine new to the program compiles kernels first
HELLO = 5.0  # seconds for it to say whether it has
PERIOD = 0.25  # seconds between two looks at the server: each takes time from the workers
LEAVE = 10.0  # seconds for the workers to end
TRIES = 20  # of one call to a server that is lost again and again


class RayRuntime:
    """Actors that compute the steps; see `workers.runtime.Runtime`. `latest` reads the newest checkpoint's state."""

    kind = "ray"

    def __init__(
        self,
        setup: Setup,
        actors: Actors,
        staff: Staff,
        latest: Callable[[], ServerState | None],
        incident: Incident,
        state: ServerState | None,
        watch: Watch,
    ) -> None:
        self._actors, self._latest, self._incident, self._watch = actors, latest, incident, watch
        self._stale = setup.job.stale
        self._staffing = Staffing(actors, staff, incident, lambda name: self._call("leave", name))
        self.workers, self.augmenters = staff.least, len(actors.augmenters)
        self._spent: dict[str, Spent] = {}
        self._state = state
        self._limit = self._next = state.version if state else 0
        self._cuts: tuple[int, ...] = ()
        self._standstill = Standstill(setup)
        self._failure: Exception | None = None  # what ended a worker, where steps before it are handed out first
        self._slowness = Slowness(setup.job.stale)
        self.retries = 0
        self.copied = 0
        self._incarnation = ""
        self._counted = ("", 0)  # the server's incarnation, and what it had copied

    def start(self) -> None:
        self._staffing.say_mapped(self._next)
        self._restore(self._state)
        self._state = None
        self._staffing.begin()

    def allow(self, limit: int) -> None:
        self._limit = limit
        self._call("allow", limit)

    def cut(self, epochs: Sequence[int]) -> None:
        self._cuts = tuple(epochs)
        self._call("cut", self._cuts)

    def finished(self, timeout: float) -> list[Update]:
        if self._failure is not None:
            raise self._failure
        try:
            self._staffing.watch(self._next)
        except Rewound:
            raise
        except Exception as error:
            if not (last := self._last_steps()):
                raise
            self._failure = error
            return last
        status = self._status(max(timeout, PERIOD))
        fresh = [update for update in status.finished if update.step >= self._next]
        self.retries, self.workers = status.retries, len(status.members)
        self._count_copied(status)
        self._spent = dict(status.spent or {})
        self._watch_step(status, fresh)
        self._staffing.tend(status, self._next)
        self._watch.look(status, self._next)
        for update in fresh:
            self._standstill.moved(update.seconds)
            self._next = update.step + 1
        return fresh

    def _last_steps(self) -> list[Update]:
        """What was finished before a failure; nothing where the server does not say so at once."""
        with suppress(RayError, TimeoutError):
            status: Status = ray.get(self._actors.server.status.remote(self._next, 0.0), timeout=HELLO)
            return [update for update in status.finished if update.step >= self._next]
        return []

    def _count_copied(self, status: Status) -> None:
        """A restarted server counts from zero."""
        incarnation, before = self._counted
        self.copied += status.copied - (before if incarnation == status.incarnation else 0)
        self._counted = status.incarnation, status.copied

    def snapshot(self) -> ServerState:
        version = -1
        while (state := self._call("snapshot", self._next)) is None:
            # A restarted server replays steps that the trainer has seen before.
            self._staffing.watch(self._next)
            self._staffing.recall()
            began = time.monotonic()
            status = self._status(PERIOD)
            self._standstill.waited(time.monotonic() - began)
            if status.version > version:
                version = status.version
                self._standstill.moved(0.0)
        return state  # type: ignore[no-any-return]

    @property
    def cores(self) -> int:
        return all_cores()

    def spent(self) -> dict[str, Spent]:
        return {**self._spent, **self._actors.augmenters.spent, **self._actors.servers.spent()}

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
                self._lost(why(error))
        raise TrainingError(
            "the parameter server is lost again and again", got=f"{TRIES} times", do="look at its node's logs"
        )

    def _lost(self, cause: str, who: str = "server", node: str = "") -> None:
        """Restore the server from the newest checkpoint, if it was lost. Rewound in a stale run, whose steps since then
        would come in another order: it waits at the checkpoint for the trainer. who, node: where it is another one."""
        node = node or self._actors.server_node
        before, step, kept = self._incarnation, self._next, (self._limit, self._cuts)
        state = self._latest() if self._stale else None
        if self._stale:
            self._limit, self._cuts = state.version if state else 0, ()
        self._restore(state)
        lost = before != self._incarnation
        self._incident("parameter server lost" if lost else "message lost", who, node, cause, step)
        if not lost:
            self._limit, self._cuts = kept
            return
        self._staffing.wait_anew()
        if self._stale:
            self._next = self._limit
            self._staffing.begin()
            raise Rewound

    def _status(self, patience: float) -> Status:
        """What the server says of itself, within so many seconds or a little more."""
        while True:
            status: Status = self._call("status", self._next, patience)
            if status.incarnation == self._incarnation:
                return status
            loss = status.loss or ServerLoss("server", "", "it came back while nobody asked")
            self._lost(loss.cause, loss.who, loss.node)

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
                    begun = server.restore.remote(state, self._limit, self._cuts)
                    if not ray.get(begun, timeout=ANSWER):
                        self._other_missing(ray.get(server.refused.remote(), timeout=HELLO))
                        continue
                self._actors.find_server()
                return
            except RayTaskError as error:
                cause = cause_of(error)
                if not isinstance(cause, (DataError, DeadlineError)):
                    raise cause from error
                # The table does not come to its node.
                self._actors.find_server()
                here = ServerLoss("server", self._actors.server_node, why(cause))
                self._staffing.refuse_server(here, cause, self._next)
            except LOST as error:
                waited = time.monotonic() - began
                self._watch.server_late(waited)
                if waited > RESTART and waited > RESTART + self._actors.patience():
                    raise DeadlineError(
                        "the parameter server does not come back",
                        expected=f"a restart within {RESTART:g} s",
                        got=why(error),
                        do="add a node with a free CPU, then go on with `millrace.resume`",
                    ) from error
                if waited > HELLO:
                    self._staffing.give_way(self._next, waited)
                time.sleep(0.1)

    def _other_missing(self, refused: ServerLoss | None) -> None:
        """One of several servers could not begin: its environment is another one, or (GetTimeoutError) it is not there
        yet."""
        if refused is None:
            raise GetTimeoutError("one of several servers is not there yet")
        self._staffing.refuse_foreign(refused, self._next)

    def _watch_step(self, status: Status, fresh: list[Update]) -> None:
        """Hand the missing slots of a step out again where it takes far longer than usual."""
        for update in fresh:
            self._slowness.moved(update)
        many = len(status.members) > 1 and bool(status.missing)
        if many and self._slowness.too_slow(status.version, status.age, time.monotonic()):
            what = "batches" if self._stale else "slots"
            self._incident("straggler", f"{what} {status.missing}", "", f"{status.age:.1f} s", status.version)
            self._call("loosen")
