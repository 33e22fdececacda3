"""A worker that joins again while something that it said before is still under way: no byte of the run changes."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace

import pytest

from millrace.model import fingerprint
from millrace.workers.gradient_worker import gradient_worker
from millrace.workers.job import Job
from millrace.workers.parameter_server import ParameterServer
from millrace.workers.ray_runtime import server
from millrace.workers.ray_runtime.messages import ELSEWHERE, JOIN, WORK, Command, Contribution, Report, Request
from millrace.workers.ray_runtime.server import ServerActor
from millrace.workers.ray_runtime.shared import Arena, Handle
from millrace.workers.setup import Setup
from millrace.workers.tree import root
from tests.workers.runs import JOB, digits

NAME, NODE, REPORT = "worker-0", "node", Report(0.0, 0, 0)
JOBS = pytest.mark.parametrize("job", [JOB, replace(JOB, staleness=2)], ids=["in steps", "stale"])


class Worker:
    """A worker of the server's node whose messages are delivered when the test says so."""

    def __init__(self, actor: ServerActor, setup: Setup) -> None:
        self.actor, self._setup = actor, setup
        self._worker = gradient_worker(setup)
        self._memberships = 0

    async def join(self) -> Command:
        """Join (again) with new memory, full of nonsense."""
        self._memberships += 1
        command, weights, readable, _ = await self.said_join(self._memberships)
        assert readable
        assert weights is not None
        opened = Arena.open(weights, NODE)
        assert opened is not None
        self._weights = opened
        return command

    async def said_join(self, membership: int) -> tuple[Command, Handle | None, bool, str]:
        """What the server says to this try to join."""
        arena = Arena.create(NODE, 8, self._setup.network.parameters)
        assert arena is not None
        arena.array.fill(1e3)
        self.arena = arena
        return await self.actor.join(NAME, membership, NODE, fingerprint(), arena.handle)

    def work(self, command: Command) -> Request:
        """Compute what the command wants into the memory; what is to be said of it."""
        assert command.kind == WORK
        weights, found = self._weights.array[int(str(command.weights))], []
        for row, block in enumerate(command.blocks):
            take = lambda step, slot: (self._setup.stream.batch(step, slot), 0.0)  # noqa: E731
            partial = self._worker.compute(weights, command.step, block, command.slots, take)
            self.arena.array[row] = partial.gradient
            found.append(Contribution(block, row, partial._replace(gradient=ELSEWHERE)))
        return self.asking(command)._replace(contributions=found)

    def asking(self, command: Command) -> Request:
        """A request that brings nothing."""
        number, incarnation = self._memberships, command.incarnation
        return Request(NAME, number, incarnation, command.step, True, [], REPORT, command.read)


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """The actor's class in this process: what it asks of Ray it finds here, and what only its process's end would end
    it does without."""

    async def listen(answer: object) -> tuple[str, None]:
        return "", None

    monkeypatch.setattr(server, "this_node", lambda: NODE)
    monkeypatch.setattr(server, "received", lambda data, seconds: digits())
    monkeypatch.setattr(server, "listen", listen)
    monkeypatch.setattr(server, "one_blas_thread", nullcontext)


async def begun(job: Job, limit: int) -> tuple[ServerActor, Worker]:
    actor = ServerActor(job, None, fingerprint(), False)  # type: ignore[arg-type]
    await actor.restore(None, limit)
    return actor, Worker(actor, Setup(job, digits()))


def alone(job: Job) -> bytes:
    """The weights after the first update, computed without messages."""
    setup = Setup(replace(job, staleness=0), digits())
    only, slots = ParameterServer(setup), setup.order.slots(0)
    whole = gradient_worker(setup).compute(
        only.view, 0, root(slots), slots, lambda step, slot: (setup.stream.batch(step, slot), 0.0)
    )
    only.contribute(0, root(slots), whole)
    only.update()
    return only.snapshot().weights.tobytes()


@JOBS
def test_what_was_said_before_reads_no_new_memory(job: Job) -> None:
    async def run() -> None:
        actor, worker = await begun(job, 2)
        said = worker.work(await worker.join())
        command = await worker.join()  # its answer was late, so it joined again
        assert (await actor.contribute(said)).kind == JOIN
        assert (await actor.status(0, 0.0)).version == 0
        await actor.contribute(worker.work(command))
        state = await actor.snapshot(1)
        assert state is not None
        assert state.weights.tobytes() == alone(job)

    asyncio.run(run())


@JOBS
def test_who_said_it_before_gets_no_work(job: Job) -> None:
    """Else it would be handed out to nobody, and the step wait until it is taken for slow."""

    async def run() -> None:
        actor, worker = await begun(job, 0)
        waiting = asyncio.ensure_future(worker.join())
        await asyncio.sleep(0)
        again = asyncio.ensure_future(worker.join())
        await asyncio.sleep(0)
        await actor.allow(2)
        assert (await waiting).kind == JOIN
        assert (await again).kind == WORK

    asyncio.run(run())


def test_a_join_that_comes_late_brings_no_old_memory_back() -> None:
    async def run() -> None:
        actor, worker = await begun(JOB, 2)
        said = worker.work(await worker.join())
        memory = worker.arena
        assert (await worker.said_join(0))[0].kind == JOIN  # an earlier try, carried out now
        worker.arena = memory
        await actor.contribute(said)
        state = await actor.snapshot(1)
        assert state is not None
        assert state.weights.tobytes() == alone(JOB)

    asyncio.run(run())
