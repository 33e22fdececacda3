"""The gradient-worker actor: asks the server for work, computes it, contributes it, until the server says stop."""

import time
from collections.abc import Sequence
from typing import Any

import ray

from millrace.errors import DeadlineError, MillraceError
from millrace.model import fingerprint
from millrace.runs import OTHERS, SEND, Spent
from millrace.workers.blas import one_blas_thread
from millrace.workers.clock import Clock
from millrace.workers.gradient_worker import gradient_worker
from millrace.workers.job import Job
from millrace.workers.ray_runtime.augmenter import nearest
from millrace.workers.ray_runtime.causes import why
from millrace.workers.ray_runtime.fetcher import FETCH
from millrace.workers.ray_runtime.handover import Handover, received, this_node
from millrace.workers.ray_runtime.messages import (
    ELSEWHERE,
    JOIN,
    LOST,
    STOP,
    WORK,
    Command,
    Contribution,
    Report,
    Request,
)
from millrace.workers.ray_runtime.parts import Parts
from millrace.workers.ray_runtime.shared import Arena
from millrace.workers.ray_runtime.socket_line import SocketLine
from millrace.workers.ray_runtime.supply import Supply
from millrace.workers.ray_runtime.traced import Traced
from millrace.workers.setup import Setup
from millrace.workers.tree import Block, Partial, below_root

DEADLINE = 300.0  # seconds without an answer of any server after which the worker gives up
ANSWER = 60.0  # seconds for one answer of the server
TELL = 0.25  # seconds between two reports of what this worker has done
PAUSE = 0.2  # seconds between two tries to reach a server that restarts


class WorkerActor(Traced):
    """One gradient worker. Its arrays lie in shared memory, so contributions on one node are not copied."""

    def __init__(
        self,
        number: int,
        job: Job,
        data: Handover,
        server: Any,
        augmenters: list[tuple[Any, str]],
        bound: int,
        traced: bool = False,
    ) -> None:
        self._number, self._name, self._server = number, f"worker-{number}", server
        self._node = this_node()
        self._clock, self._told = Clock(traced=traced), 0.0
        self._unready: MillraceError | None = None
        try:
            self._setup = Setup(job, received(data, FETCH))
        except MillraceError as error:  # raised here it would end the process, and lose all but its text
            self._unready = error
            return
        setup = self._setup
        augmenter = nearest(augmenters, self._node, number)
        self._supply = Supply(setup.stream, augmenter, bound, setup.total_steps, self._clock)
        self._worker = gradient_worker(setup, self._clock)
        self._arena: Arena | None = None
        self._fresh_arena()
        self._parts = Parts(setup.rounding)
        self._weights: Arena | None = None
        self._readable = False
        self._line: SocketLine | None = None
        self._given: list[Any] = []  # gradients that the server may still read
        self._step = -1
        self._membership = 0  # counts the tries to join

    def node(self) -> str:
        """The node that this actor runs on."""
        return self._node

    def use(self, augmenters: list[tuple[Any, str]]) -> None:
        """These augmenters (actor, node) are there now; called while `run` runs."""
        if self._unready is None:
            self._supply.use(nearest(augmenters, self._node, self._number))

    def run(self) -> int:
        """Work until the server says stop; the number of blocks computed. Errors: DataError where this node's disk has
        no room for the table."""
        if self._unready is not None:
            raise self._unready
        computed = 0
        with one_blas_thread():
            command = self._join()
            while command.kind != STOP:
                if command.kind == WORK:
                    command, done = self._work(command)
                    computed += done
                elif command.kind == JOIN:
                    command = self._join()
                else:
                    command = self._ask(command, [], [])
        return computed

    def _fresh_arena(self) -> None:
        """New shared memory: what a server may still read of the old one stays as it is."""
        setup = self._setup
        self._worker = gradient_worker(setup, self._clock)
        old, self._arena = self._arena, Arena.create(self._node, self._rows(), setup.network.parameters)
        if old is not None:
            old.retire()
        self._place: dict[int, int] = {}  # address of a gradient array → row of the arena
        if self._arena is not None:
            for row, array in enumerate(self._arena.array):
                self._place[array.ctypes.data] = row
                self._worker.recycle(array)

    def _rows(self) -> int:
        """Gradient arrays that one step may take: a block's path down the tree, for all blocks of a share."""
        slots = self._setup.order.most_slots
        return min(2 * slots.bit_length() + 1, slots + 1)

    def _join(self) -> Command:
        """Introduce this worker to the server, or to the next incarnation of it."""
        until = time.monotonic() + DEADLINE
        if self._step >= 0:
            self._given.clear()
            self._fresh_arena()
        if self._line is not None:
            self._line.close()
            self._line = None
        self._step = -1
        handle = self._arena.handle if self._arena else None
        while True:
            try:
                self._membership += 1
                reply = self._server.join.remote(self._name, self._membership, self._node, fingerprint(), handle)
                command, weights, self._readable, line = ray.get(reply, timeout=ANSWER)
                self._weights = Arena.open(weights, self._node) if weights is not None else None
                if weights is None or self._weights is not None:
                    break
                # The server was lost after its answer, whose weights are a row of the memory that went with it.
                lost = "its shared memory is gone"
            except LOST as error:
                lost = why(error)
            if time.monotonic() > until:
                raise DeadlineError(
                    f"worker {self._name} cannot reach the parameter server",
                    expected=f"an answer within {DEADLINE:g} s",
                    got=lost,
                )
            time.sleep(PAUSE)
        self._clock.begin()
        self._line = SocketLine.open(line) if self._weights is not None and self._readable else None
        return command  # type: ignore[no-any-return]

    def _work(self, command: Command) -> tuple[Command, int]:
        self._clock.enter(SEND)
        weights = self._at(command)
        if weights is None:
            return Command(JOIN), 0
        if command.step != self._step:
            self._recycle()
            self._step = command.step
            if not self._setup.job.stale:  # else any batch may be next
                self._supply.expect(command.step, command.lease)
        contributions: list[Contribution] = []
        gradients: list[Any] = []
        for block in self._travelling(command):
            partial = self._worker.compute(weights, command.step, block, command.slots, self._supply.take)
            self._given.append(partial.gradient)
            contributions.append(self._contribution(block, partial, gradients))
        return self._ask(command, contributions, gradients), len(command.blocks)

    def _travelling(self, command: Command) -> Sequence[Block]:
        """The blocks in which the command's are contributed. Only rounded sums can be packed: those below the root, and
        in a stale run all."""
        job = self._setup.job
        if self._readable or job.stale or self._setup.rounding is None:
            return command.blocks
        return [part for block in command.blocks for part in below_root(block, command.slots)]

    def _contribution(self, block: Block, partial: Partial, gradients: list[Any]) -> Contribution:
        row = self._place.get(partial.gradient.ctypes.data) if self._readable else None
        if row is None:
            gradients.append(partial.gradient)
        return Contribution(block, row, partial._replace(gradient=ELSEWHERE))

    def _ask(self, command: Command, contributions: list[Contribution], gradients: list[Any]) -> Command:
        """Contribute, and make batches until the answer is there."""
        report = Report(self._worker.waited, self._supply.in_flight, self._supply.received, self._spent())
        self._worker.waited, self._supply.received = 0.0, 0
        near = self._weights is not None
        request = Request(
            self._name,
            self._membership,
            command.incarnation,
            command.step,
            near,
            contributions,
            report,
            command.read,
        )
        self._clock.enter(SEND)
        if self._line is not None and not gradients:
            return self._say(self._line, request)
        reply = self._server.contribute.remote(request, *self._parts.sent(gradients))
        self._clock.enter(OTHERS)
        try:
            while not ray.wait([reply], timeout=0)[0]:
                if not self._supply.help():
                    break
            return ray.get(reply, timeout=ANSWER)  # type: ignore[no-any-return]
        except LOST:
            return Command(JOIN)

    def _spent(self) -> Spent | None:
        """What this worker has done so far, where it is time to say it: it is not written out for every step."""
        now = time.monotonic()
        if now - self._told < TELL:
            return None
        self._told = now
        return self._clock.spent

    def _say(self, line: SocketLine, request: Request) -> Command:
        """As `_ask`, on the line."""
        try:
            line.send(request, ANSWER)
            self._clock.enter(OTHERS)
            while not line.answered:
                if not self._supply.help():
                    break
            return line.receive()
        except (OSError, ValueError):
            return Command(JOIN)

    def _at(self, command: Command) -> Any:
        """The weights of an command: a view of the server's shared memory, or of this node's object store; None where
        they were lost with the server."""
        if isinstance(command.weights, int) and self._weights is not None:
            return self._weights.array[command.weights]
        try:
            return self._parts.fetch(command.weights, ANSWER)  # type: ignore[arg-type]
        except LOST:
            return None

    def _recycle(self) -> None:
        """The step is over: its gradients are read no more."""
        for gradient in self._given:
            self._worker.recycle(gradient)
        self._given.clear()
