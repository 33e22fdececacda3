"""The first of several parameter servers: what workers speak to. It holds a segment and keeps the books of all.

A gradient's parts go from its worker to each server through the object store; the lead passes on where they lie. A step
moves in two phases: every server says that it has all parts, then all move. Where a server is lost, in whichever phase,
all begin again from the newest checkpoint; where a part cannot be had, with its worker's node, the step does.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from millrace.workers.dispatcher import Dispatcher
from millrace.workers.job import Job
from millrace.workers.parameter_server import ServerState
from millrace.workers.ray_runtime.handover import Handover
from millrace.workers.ray_runtime.messages import JOIN, Command, Request, ServerLoss
from millrace.workers.ray_runtime.segment_actor import SegmentActor, SegmentHolder, ServerLost
from millrace.workers.ray_runtime.server import ServerActor
from millrace.workers.ray_runtime.shared import Handle
from millrace.workers.ray_runtime.views import Views
from millrace.workers.segment import Rules, divided, united
from millrace.workers.segments import Books, together


class LeadActor(ServerActor):
    """others: the SegmentActors of the servers after this one."""

    def __init__(
        self,
        job: Job,
        data: Handover,
        environment: dict[str, str],
        mixed: bool,
        others: list[Any],
        traced: bool = False,
    ) -> None:
        super().__init__(job, data, environment, mixed, traced)
        self._actors = [SegmentActor(), *others]
        self._holders: list[SegmentHolder] = []
        self._books: Books | None = None
        self._read: list[Any] = []  # references to the segments of the view
        self._given: list[asyncio.Task[bool]] = []  # parts of this step's gradients, on their way to the holders
        self._turn = 0  # counts the openings of steps
        self._watches: list[asyncio.Task[None]] = []
        self._refused: ServerLoss | None = None
        self._restoring, self._moving = asyncio.Lock(), asyncio.Lock()

    async def restore(self, state: ServerState | None, limit: int, cuts: tuple[int, ...] = ()) -> str:
        """As of one server; empty where another server is not there yet, or `refused`."""
        async with self._restoring:
            if self._dispatcher is None:
                with suppress(ServerLost):
                    await self._begin(state or ServerState.first(self._setup), cuts)
            if self._dispatcher is None:
                return ""
            self._dispatcher.allow(limit)
        self._wake()
        return self._incarnation

    async def refused(self) -> ServerLoss | None:
        """Which other server has another environment than the run, by the last try to begin."""
        return self._refused

    async def join(
        self, name: str, membership: int, node: str, environment: dict[str, str], arena: Handle | None
    ) -> tuple[Command, Handle | None, bool, str]:
        """As of one server, but arrays always go through the object store."""
        return await super().join(name, membership, node, environment, None)

    async def contribute(self, request: Request, *gradients: Any) -> Command:
        """As of one server; gradients: one list, which has for each server a reference to the list of its parts."""
        dispatcher, books, incarnation = self._heard(request), self._books, self._incarnation
        if dispatcher is None or books is None:
            return Command(JOIN)
        which, complete = [], False
        for number, (block, _, partial) in enumerate(request.contributions):
            taken, last = books.contribute(request.step, block, partial)
            which += [number] if taken else []
            complete |= last
        if which:
            blocks = [request.contributions[number].block for number in which]
            slots = self._setup.order.slots(request.step)
            self._copied += self._setup.gradient_bytes * len(which)
            for holder, part in reversed(list(zip(self._holders, gradients[0], strict=True))):
                give = holder.give(self._turn, slots, blocks, which, part)
                self._given.append(asyncio.ensure_future(give))
        if complete:
            try:
                await self._move(dispatcher, books, incarnation)
            except ServerLost as lost:
                self._lose(lost, incarnation)
        return await self._command(request.name, request.membership, False)

    async def snapshot(self, at_least: int) -> ServerState | None:
        """As of one server: the segments of all of them."""
        incarnation = self._incarnation
        async with self._moving:
            if self._books is None or self._books.version < at_least:
                return None
            try:
                books, held = self._books.snapshot(), await together([holder.held() for holder in self._holders])
            except ServerLost as lost:
                self._lose(lost, incarnation)
                return None
        return united(books, held)

    async def _begin(self, state: ServerState, cuts: tuple[int, ...]) -> None:
        token, rules, self._refused = self._incarnation, Rules.of(self._setup), None
        holders = [SegmentHolder(number, actor, token) for number, actor in enumerate(self._actors)]
        different = await together([holder.hello(self._fingerprint) for holder in holders])
        if not self._admits(holders[1:], different[1:]):
            return
        read = await together(
            [holder.restore(rules, held) for holder, held in zip(holders, divided(state, len(holders)), strict=True)]
        )
        self._holders, self._read, self._given = holders, [reference for [reference] in read], []
        self._books = Books(self._setup, state)
        self._dispatcher = Dispatcher(self._setup, server=self._books)
        self._moving = asyncio.Lock()  # who was lost in a move may hold the one before
        self._books.cut(cuts)
        self._turn += 1
        self._watches = [asyncio.ensure_future(self._watch(holder, token)) for holder in holders[1:]]

    def _admits(self, holders: Sequence[SegmentHolder], different: Sequence[list[str]]) -> bool:
        """Whether all of them may hold a segment, and what is noted of those that may not, or may nevertheless."""
        foreign = {
            f"server-{holder.number}": ServerLoss(f"server-{holder.number}", holder.node, "; ".join(differs))
            for holder, differs in zip(holders, different, strict=True)
            if differs
        }
        if foreign and not self._mixed:
            self._refused = next(iter(foreign.values()))
            return False
        self._foreign |= {name: loss.cause for name, loss in foreign.items()}
        return True

    async def _watch(self, holder: SegmentHolder, incarnation: str) -> None:
        """Hear at once where a server is lost: between two steps nobody speaks to it."""
        try:
            await holder.last()
        except ServerLost as lost:
            self._lose(lost, incarnation)

    async def _move(self, dispatcher: Dispatcher, books: Books, incarnation: str) -> None:
        async with self._moving:
            if incarnation != self._incarnation:  # lost while another had the lock: what was given is cancelled
                return
            given, self._given = self._given, []
            came = all(await asyncio.gather(*given))
            if incarnation != self._incarnation:
                return
            if not came:
                books.reopen()
                dispatcher.retries += len(given)
            else:
                books.began = time.perf_counter()
                update, read = await books.advance(self._holders)
                if incarnation != self._incarnation:
                    return
                self._read = [reference for [reference] in read]
                self._copied += 4 * self._setup.network.parameters
            self._turn += 1
            dispatcher.begin()
        if came:
            self._advance(update)
        else:
            self._wake()

    def _lose(self, lost: ServerLost, incarnation: str) -> None:
        """Be as a server that was started again: without a state, under another name."""
        if incarnation != self._incarnation:
            return
        self._loss = ServerLoss(f"server-{lost.number}", lost.node, lost.cause)
        self._incarnation = uuid.uuid4().hex
        self._dispatcher = self._books = None
        self._roll.clear()
        self._records.clear()
        self._reports.clear()
        self._read, self._copied = [], 0
        for task in (*self._watches, *self._given):
            task.cancel()
        self._wake()

    def _made_views(self) -> Views | None:
        """Nobody reads them in shared memory."""
        return None

    def _weights(self, name: str, near: bool) -> object:
        return self._read
