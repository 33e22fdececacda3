"""A server that holds a segment of the weights: the actor, and how the lead of the servers speaks to it."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from millrace.model import UnitSquares, differences, fingerprint
from millrace.runs import PUBLISH, SEND, UPDATE, Spent
from millrace.workers.clock import Clock
from millrace.workers.ray_runtime.causes import cause_of, why
from millrace.workers.ray_runtime.handover import this_node
from millrace.workers.ray_runtime.messages import LOST
from millrace.workers.ray_runtime.traced import Traced
from millrace.workers.segment import Held, Move, Rules, Segment, own
from millrace.workers.tree import Block

PULL = 30.0  # seconds for a part of a gradient to come from its worker's node
ANSWER = 60.0  # seconds for one answer
GREET = 4.0  # seconds for a server that may not be there yet


class Fenced(Exception):
    """The process does not hold the state that its caller means: it is new, or another lead has begun with it."""


class ServerLost(Exception):
    """A server of several does not answer any more, or not as the one that was asked before."""

    def __init__(self, number: int, node: str, cause: str) -> None:
        super().__init__(f"server-{number}: {cause}")
        self.number, self.node, self.cause = number, node, cause


class SegmentActor(Traced):
    """Holds nothing until `restore`. Every call names the token of the state that it means, else Fenced. The lead of
    the servers has one of these in its own process."""

    def __init__(self, traced: bool = False) -> None:
        self._clock = Clock(traced=traced)
        self._token = ""
        self._segment: Segment | None = None
        self._over = asyncio.Event()

    async def hello(self, environment: dict[str, str]) -> tuple[str, list[str]]:
        """The node, and how its environment differs from this one."""
        return this_node(), differences(fingerprint(), environment)

    def spent(self) -> Spent:
        """What it has done so far."""
        return self._clock.spent

    async def restore(self, token: str, rules: Rules, held: Held) -> list[Any]:
        """Begin with this state, whatever was before; the view, see `move`."""
        self._over.set()
        self._token, self._segment, self._over = token, Segment(rules, own(held)), asyncio.Event()
        return [ray.put(self._segment.view())]

    async def last(self, token: str) -> None:
        """Returns when the state is no more; a caller hears at once where the process ends."""
        self._of(token)
        await self._over.wait()

    async def give(
        self, token: str, turn: int, slots: int, blocks: Sequence[Block], which: Sequence[int], parts: list[Any]
    ) -> bool:
        """Take the parts of blocks' gradients: those of this numbers in a list that lies in the object store, which
        comes straight from the worker's node. False where it cannot be had."""
        self._of(token)
        try:
            arrays = await asyncio.wait_for(parts[0], PULL)
        except (RayError, TimeoutError):
            return False
        with self._clock.within(SEND):
            self._of(token).add(turn, slots, blocks, [arrays[number] for number in which])
        return True

    async def squares(self, token: str, divisor: float) -> list[float]:
        """See `Segment`, as the next three."""
        with self._clock.within(UPDATE):
            return self._of(token).squares(divisor)

    async def move(self, token: str, move: Move, last: bool) -> list[Any]:
        """Where this is the last of a step, a list of a reference to the view after it."""
        with self._clock.within(UPDATE):
            self._of(token).move(move)
        return self._published(token) if last else []

    async def add_unit_squares(self, token: str, squares: UnitSquares) -> UnitSquares:
        with self._clock.within(UPDATE):
            return self._of(token).add_unit_squares(squares)

    async def close(self, token: str, squares: UnitSquares) -> list[Any]:
        """As `move`."""
        return self._published(token, squares)

    async def held(self, token: str) -> Held:
        """What it remembers; it must not move until the answer is there."""
        return self._of(token).held()

    def _published(self, token: str, squares: UnitSquares | None = None) -> list[Any]:
        with self._clock.within(PUBLISH):
            return [ray.put(self._of(token).close(squares))]

    def _of(self, token: str) -> Segment:
        if self._segment is None or token != self._token:
            raise Fenced("this server holds another state than the one that was asked for")
        return self._segment


class SegmentHolder:
    """A server of several, as the lead speaks to it: `workers.segments.Holder`. ServerLost from every call.

    actor: a SegmentActor, in this process or as Ray's handle. number: 0 for the lead's own.
    """

    def __init__(self, number: int, actor: Any, token: str) -> None:
        self.number, self.node = number, ""
        self._actor, self._token = actor, token

    async def hello(self, environment: dict[str, str]) -> list[str]:
        """How its environment differs from this one."""
        self.node, different = await self._answer("hello", environment, seconds=GREET)
        return different  # type: ignore[no-any-return]

    async def restore(self, rules: Rules, held: Held) -> Any:
        return await self._ask("restore", rules, held)

    async def last(self) -> None:
        """Returns where the actor is fenced; waits for that without a deadline."""
        await self._answer("last", self._token, seconds=None)

    async def give(self, turn: int, slots: int, blocks: Sequence[Block], which: Sequence[int], part: Any) -> bool:
        """See `SegmentActor.give`; part: a reference."""
        return bool(await self._ask("give", turn, slots, blocks, which, [part]))

    async def squares(self, divisor: float) -> list[float]:
        return await self._ask("squares", divisor)  # type: ignore[no-any-return]

    async def move(self, move: Move, last: bool) -> Any:
        return await self._ask("move", move, last)

    async def add_unit_squares(self, squares: UnitSquares) -> UnitSquares:
        return await self._ask("add_unit_squares", squares)  # type: ignore[no-any-return]

    async def close(self, squares: UnitSquares) -> Any:
        return await self._ask("close", squares)

    async def held(self) -> Held:
        return await self._ask("held")  # type: ignore[no-any-return]

    def _ask(self, name: str, *arguments: Any) -> Coroutine[Any, Any, Any]:
        return self._answer(name, self._token, *arguments)

    async def _answer(self, name: str, *arguments: Any, seconds: float | None = ANSWER) -> Any:
        call = getattr(self._actor, name)
        try:
            if isinstance(self._actor, SegmentActor):
                return await call(*arguments)
            return await asyncio.wait_for(call.remote(*arguments), seconds)
        except (*LOST, Fenced, TimeoutError) as error:
            raise ServerLost(self.number, self.node, why(error)) from error
        except RayTaskError as error:
            raise cause_of(error) from error
