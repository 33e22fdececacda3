"""The parameter-server actor: a dispatcher behind asynchronous calls, and the weights in shared memory."""

import asyncio
import time
import uuid
from collections import deque
from contextlib import suppress
from typing import Any

from millrace.errors import MillraceError, UsageError
from millrace.model import differences, fingerprint
from millrace.runs import PUBLISH, SEND, UPDATE
from millrace.workers.blas import one_blas_thread
from millrace.workers.dispatcher import Dispatcher
from millrace.workers.job import Job
from millrace.workers.parameter_server import ServerState, Update
from millrace.workers.ray_runtime.fetcher import FETCH
from millrace.workers.ray_runtime.gauges import ServerGauges
from millrace.workers.ray_runtime.handover import Handover, received, this_node
from millrace.workers.ray_runtime.messages import JOIN, STOP, WAIT, WORK, Command, Request, ServerLoss, Status
from millrace.workers.ray_runtime.parts import unpacked
from millrace.workers.ray_runtime.roll import Roll
from millrace.workers.ray_runtime.server_clock import ServerClock
from millrace.workers.ray_runtime.shared import Arena, Handle
from millrace.workers.ray_runtime.socket_line import listen
from millrace.workers.ray_runtime.traced import Traced
from millrace.workers.ray_runtime.views import Views
from millrace.workers.setup import Setup
from millrace.workers.stale_dispatcher import StaleDispatcher

PATIENCE = 2.0  # seconds that a worker's call may hang without work before it asks again


class ServerActor(Traced):
    """Every call runs in one event loop, so nothing here needs a lock. A new process is a new incarnation."""

    def __init__(
        self, job: Job, data: Handover, environment: dict[str, str], mixed: bool, traced: bool = False
    ) -> None:
        self._mixed, self._incarnation, self._node = mixed, uuid.uuid4().hex, this_node()
        self._blas = one_blas_thread()
        self._blas.__enter__()
        self._stale = job.stale
        self._dispatcher: Dispatcher | None = None
        self._stopped = False
        self._fingerprint = environment  # of the run
        self._roll = Roll()
        self._foreign: dict[str, str] = {}
        self._reports: dict[str, float] = {}
        self._records: deque[Update] = deque()
        self._line: tuple[str, object] = "", None  # where workers of this node speak to it
        self._failure: Exception | None = None  # what went wrong on a line, for the next call to raise
        self._loss: ServerLoss | None = None
        self._changed = asyncio.Event()
        self._halted = asyncio.Event()  # set while no step may be computed
        self._last, self._copied = time.perf_counter(), 0
        self._clock: ServerClock = ServerClock(traced)
        self._gauges = ServerGauges()
        self._views: Views | None = None
        self._unready: MillraceError | None = None
        try:
            self._setup = Setup(job, received(data, FETCH))
        except MillraceError as error:  # raised here it would end the process, and lose all but its text
            self._unready = error
        else:
            self._views = self._made_views()

    async def node(self) -> str:
        """The node that this actor runs on."""
        return self._node

    async def hello(self) -> tuple[str, bool, list[str]]:
        """This incarnation, whether it has its state, and how its environment differs from the run's. Errors: DataError
        where this node's disk has no room for the table."""
        if self._unready is not None:
            raise self._unready
        return self._incarnation, self._dispatcher is not None, differences(fingerprint(), self._fingerprint)

    async def restore(self, state: ServerState | None, limit: int, cuts: tuple[int, ...] = ()) -> str:
        """Begin with a state (None: the first weights). Only the first call of an incarnation counts."""
        if self._dispatcher is None:
            # What comes through the object store is read-only.
            state = state.copy() if state is not None else ServerState.first(self._setup)
            kind = StaleDispatcher if self._stale else Dispatcher
            self._dispatcher = kind(self._setup, self._views.settled(state) if self._views else state)
            self._dispatcher.server.cut(cuts)
            self._publish()
            self._clock.begin()
        self._dispatcher.allow(limit)
        self._wake()
        return self._incarnation

    async def allow(self, limit: int) -> None:
        """Steps below the limit may be computed."""
        if self._dispatcher is not None:
            self._dispatcher.allow(limit)
            self._last = time.perf_counter()
            self._wake()

    async def cut(self, epochs: tuple[int, ...]) -> None:
        """The epochs from whose beginning on the plateau schedule cuts the rate."""
        if self._dispatcher is not None:
            self._dispatcher.server.cut(epochs)

    async def stop(self) -> None:
        """Tell every worker to end."""
        self._stopped = True
        self._wake()

    async def leave(self, name: str) -> None:
        """A worker is gone."""
        if self._dispatcher is not None:
            self._dispatcher.leave(name)
        self._roll.leave(name)
        if self._views is not None:
            self._views.leave(name)
        self._gauges.leave(name)
        self._clock.leave(name)
        self._wake()

    async def loosen(self) -> None:
        """The current step takes too long: hand its missing slots out again."""
        if self._dispatcher is not None:
            self._dispatcher.loosen()
            self._wake()

    async def join(
        self, name: str, membership: int, node: str, environment: dict[str, str], arena: Handle | None
    ) -> tuple[Command, Handle | None, bool, str]:
        """A worker introduces itself, with a number that grows with each try: its first command, the arena of the
        weights (None: on another node), whether its own arena can be read here, and the address of the line (empty:
        none). UsageError where its environment gives other bits."""
        if self._failure is not None:
            raise self._failure
        different = differences(environment, self._fingerprint)
        if different and not self._mixed:
            raise UsageError(
                f"worker {name} has another environment than the run, so bits would differ: {'; '.join(different)}",
                expected=self._fingerprint,
                got=environment,
                do="use machines of one kind, or pass `mixed_cpus=True`",
            )
        if self._roll.is_late(name, membership):
            return Command(JOIN), None, False, ""
        if different:
            self._foreign[name] = "; ".join(different)
        opened = Arena.open(arena, self._node) if arena is not None else None
        if self._dispatcher is not None:
            self._roll.join(name, membership, node, opened)
            self._dispatcher.join(name)
        weights = self._views.join(name) if self._views is not None and node == self._node else None
        command = await self._command(name, membership, weights is not None)
        if weights is not None and opened is not None and not self._line[0]:
            self._line = await listen(self._on_line)
        return command, weights.handle if weights else None, opened is not None, self._line[0]

    async def contribute(self, request: Request, *gradients: Any) -> Command:
        """Take a worker's partial sums of a step and answer with its next work."""
        name, membership, _, step, near, contributions, _, read = request
        dispatcher = self._heard(request)
        if dispatcher is None:
            return Command(JOIN)
        arrays = iter(gradients)
        for block, row, partial in contributions:
            gradient = self._roll.row(name, row) if row is not None else unpacked(sent := next(arrays), self._setup)
            self._copied += 0 if row is not None else sent.nbytes
            update = dispatcher.contribute(step, block, partial._replace(gradient=gradient), name, read)
            if update is not None:
                self._advance(update)
        return await self._command(name, membership, near)

    def _heard(self, request: Request) -> Dispatcher | None:
        """Note what a worker says of itself; None where this is not the server that it means."""
        self._clock.enter(SEND)
        name, dispatcher = request.name, self._dispatcher
        known = self._roll.knows(name, request.membership)
        if request.incarnation != self._incarnation or dispatcher is None or not known:
            return None
        self._reports[name] = self._reports.get(name, 0.0) + request.report.waited
        self._gauges.in_flight(name, request.report.in_flight)
        self._copied += request.report.received
        self._clock.hear(name, request.report.spent)
        dispatcher.server.norm_wanted = self._gauges.due
        return dispatcher

    async def _on_line(self, request: Request) -> Command:
        """`contribute`, on the socket: it carries no errors, so the next call of a worker raises them."""
        try:
            return await self.contribute(request)
        except Exception as error:
            self._failure = error
            raise

    async def status(self, seen: int, patience: float) -> Status:
        """What happened since the trainer saw step `seen` − 1; up to `patience` seconds later, sooner at the limit."""
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0:
            # At the limit the trainer has work to do: it is answered at once, if it does not know yet. Until then
            # nothing wakes this wait: steps take no time for it.
            halted = self._halted.is_set()
            if halted and self._dispatcher is not None and self._dispatcher.version > seen:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for((self._changed if halted else self._halted).wait(), left)
        while self._records and self._records[0].step < seen:
            self._records.popleft()
        dispatcher = self._dispatcher
        if dispatcher is None:
            return Status(self._incarnation, -1, [], 0.0, [], (), (), {}, 0, 0, self._loss)
        idle = dispatcher.ended or dispatcher.version >= dispatcher.limit
        age = 0.0 if idle else time.perf_counter() - self._last
        return Status(
            self._incarnation,
            dispatcher.version,
            list(self._records),
            age,
            dispatcher.server.missing(),
            dispatcher.leases.members,
            tuple(self._roll.nodes[name] for name in dispatcher.leases.members),
            self._foreign,
            dispatcher.retries,
            self._all_copied,
            spent=self._clock.all,
        )

    async def snapshot(self, at_least: int) -> ServerState | None:
        """Copies of the state; None while fewer than `at_least` steps are in it."""
        if self._dispatcher is None or self._dispatcher.version < at_least:
            return None
        return self._dispatcher.server.snapshot()

    def _advance(self, update: Update) -> None:
        now = time.perf_counter()
        seconds = max(now - self._last, 1e-9)
        self._last = now
        if self._dispatcher is not None:
            self._clock.enter(UPDATE, self._dispatcher.server.began or self._clock.since)
        members = max(1, len(self._reports))
        waiting = min(sum(self._reports.values()) / (members * seconds), 1.0)
        self._reports.clear()
        update = update._replace(seconds=seconds, waiting=waiting)
        self._records.append(update)
        self._clock.enter(PUBLISH)
        self._publish()
        if self._dispatcher is not None:
            self._gauges.step(update, self._dispatcher.retries, self._all_copied)
        self._wake()

    @property
    def _all_copied(self) -> int:
        return self._copied + (self._views.copied if self._views is not None else 0)

    def _made_views(self) -> Views | None:
        return Views(self._node, self._setup.network.parameters, self._stale)

    def _publish(self) -> None:
        if self._dispatcher is not None and self._views is not None:
            self._views.publish(self._dispatcher.server.view)

    def _weights(self, name: str, near: bool) -> object:
        """What a command to this worker has as weights."""
        if self._dispatcher is None or self._views is None:
            return None
        return self._views.read(name, near, self._dispatcher.version, self._dispatcher.server.view)

    def _wake(self) -> None:
        if self._dispatcher is not None and self._dispatcher.version >= self._dispatcher.limit:
            self._halted.set()
        else:
            self._halted.clear()
        self._changed.set()
        self._changed = asyncio.Event()

    async def _command(self, name: str, membership: int, near: bool) -> Command:
        """The worker's next work, as soon as there is any; nothing is handed to one that has joined again meanwhile."""
        try:
            return await self._next(name, membership, near)
        finally:
            self._clock.rest(self._halted.is_set())

    async def _next(self, name: str, membership: int, near: bool) -> Command:
        until = time.monotonic() + PATIENCE
        while True:
            if self._stopped or (self._dispatcher is not None and self._dispatcher.ended):
                return Command(STOP)
            changed = self._changed
            if self._dispatcher is None or not self._roll.knows(name, membership):
                if time.monotonic() > until or self._dispatcher is not None:
                    return Command(JOIN)
            elif (task := self._dispatcher.task(name)) is not None:
                weights = self._weights(name, near)
                blocks = tuple(task.blocks)
                return Command(WORK, self._incarnation, task.step, task.slots, blocks, task.lease, weights, task.read)
            left = until - time.monotonic()
            if left <= 0:
                return Command(WAIT, self._incarnation)
            self._clock.rest(self._halted.is_set())
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)
            self._clock.enter(SEND)
