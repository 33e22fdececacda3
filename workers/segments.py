"""A step of weights that lie in segments: one keeps the books, all move together, in the bits of one server."""

import asyncio
import dataclasses
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from millrace.errors import TrainingError
from millrace.model import UnitSquares, norm_of
from millrace.workers.parameter_server import F32Array, ParameterServer, ServerState, Totals, Update
from millrace.workers.segment import Move
from millrace.workers.setup import Setup

Answer = TypeVar("Answer")


class Holder(Protocol):
    """One of the servers that hold a segment, wherever it is; see `Segment`. `move` and `close` give what workers read
    the new view by."""

    async def squares(self, divisor: float) -> list[float]:
        """The chunks' squares of the averaged gradient."""

    async def move(self, move: Move, last: bool) -> Any:
        """Move; where that is the last of the step, also close it."""

    async def add_unit_squares(self, squares: UnitSquares) -> UnitSquares:
        """The running sums of max-norm, with this segment's."""

    async def close(self, squares: UnitSquares) -> Any:
        """Limit the units by the sums of all segments, and close the step."""


class Books(ParameterServer):
    """A parameter server without arrays: which contributions came, what they come to, the epoch's sums and ledger. The
    gradients of its partial sums are empty."""

    def __init__(self, setup: Setup, state: ServerState) -> None:
        super().__init__(setup, dataclasses.replace(state, weights=np.empty(0, np.float32), optimizer={}))

    async def advance(self, holders: Sequence[Holder]) -> tuple[Update, list[Any]]:
        """The complete step's update, by all holders, whose segments follow each other; and their answers. Errors: as
        `update`; what a holder raises, after which the holders' segments may be of two versions."""
        if self._reduction is None:
            raise TrainingError("there is no step left to update", got=f"version {self.version}")
        totals = Totals.of(*self._reduction.halves())
        self._check_loss(totals)
        updates, divisor, wanted = self._setup.updates, float(totals.samples), self.norm_wanted
        norm, scale = None, 1.0
        if wanted or self._setup.job.regularization.clip:
            parts = await together([holder.squares(divisor) for holder in holders])
            norm = norm_of(square for part in parts for square in part)
            scale = self._check_scale(updates.scale_of(norm))
        rate = self._rate(self.version)
        move = Move(divisor, rate, scale)
        views = await together([holder.move(move, not updates.limits) for holder in holders])
        if updates.limits:
            squares = updates.no_squares()
            for holder in holders:
                squares = await holder.add_unit_squares(squares)
            views = await together([holder.close(squares) for holder in holders])
        return self._close(totals, rate, norm if wanted else None, None, ()), views

    def reopen(self) -> None:
        """Forget the contributions to the current step: all its slots are missing again."""
        with self._lock:
            self._open()

    def _publish(self, state: ServerState) -> F32Array:
        """There is nothing to be read here."""
        return state.weights


async def together(calls: Sequence[Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """The answers to calls that are under way at the same time, in order. The first is begun last: it may be the one
    that is worked on here."""
    tasks = [asyncio.ensure_future(call) for call in reversed(calls)]
    return list(await asyncio.gather(*tasks))[::-1]
