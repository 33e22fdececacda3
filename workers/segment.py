"""A segment: whole chunks of the flat vector with their optimizer's state, as one of several servers holds them.

What a step does to it, one server does to the whole vector, in the same bits: an element moves by itself, and sums over
the vector are made of the segments' parts in order (`workers.segments`).
"""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.errors import TrainingError, UsageError
from millrace.model import (
    CHUNK,
    Layout,
    OptimizerOptions,
    RegularizationOptions,
    Step,
    UnitSquares,
    Updates,
    chunk_squares,
    optimizer,
)
from millrace.workers.parameter_server import F32Array, ServerState, check_weights
from millrace.workers.setup import Setup
from millrace.workers.tree import Block, Partial, Reduction

if TYPE_CHECKING:
    from millrace.model import Rounding


class Span(NamedTuple):
    """The elements [begin, end) of the flat vector; begin at a chunk."""

    begin: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.begin


def spans(parameters: int, servers: int) -> list[Span]:
    """The segments of a vector on so many servers, as even as chunks allow. UsageError where there are fewer chunks."""
    chunks = -(-parameters // CHUNK)
    if servers > chunks:
        raise UsageError(
            f"the weights of this network cannot lie on {servers} servers",
            expected=f"at most {chunks}: {parameters:,} parameters in chunks of {CHUNK:,}",
            got=servers,
            do=f"give `servers={chunks}` or fewer, or a larger network",
        )
    edges = [min(number * chunks // servers * CHUNK, parameters) for number in range(servers + 1)]
    return [Span(begin, end) for begin, end in pairwise(edges)]


class Rules(NamedTuple):
    """What a segment's updates follow: all that a server needs of a run that has none of its data. rounding: of sums;
    None where they are not rounded."""

    layout: Layout
    optimizer: OptimizerOptions
    regularization: RegularizationOptions
    seed: int
    rounding: "Rounding | None"

    @classmethod
    def of(cls, setup: Setup) -> "Rules":
        """Those of a run."""
        job = setup.job
        return cls(setup.network.layout, job.optimizer, job.regularization, job.seed, setup.rounding)


class Held(NamedTuple):
    """What a segment remembers: its span, the version, its weights and state; arrays float32 (span.length,)."""

    span: Span
    version: int
    weights: F32Array
    optimizer: dict[str, F32Array]


class Move(NamedTuple):
    """The numbers of a step; see `Step`."""

    divisor: float
    rate: float
    scale: float


class Segment:
    """One server's part of a step: it takes the parts of all contributions, moves, and gives the view.

    held: arrays of the segment's own, which it moves in place.
    """

    def __init__(self, rules: Rules, held: Held) -> None:
        self._updates = Updates(optimizer(rules.optimizer, rules.layout), rules.regularization, rules.seed)
        self._held, self._rounding = held, rules.rounding
        self._room: F32Array | None = None
        self._turn = -1
        self._reduction: Reduction | None = None

    @property
    def version(self) -> int:
        """The number of steps in the weights."""
        return self._held.version

    def add(self, turn: int, slots: int, blocks: Sequence[Block], gradients: Sequence[npt.NDArray[Any]]) -> None:
        """Take the parts of blocks' gradients, float32 (span.length,) each, or packed where sums are rounded. turn:
        another number begins a step of so many slots, and what came of the one before is forgotten."""
        if turn != self._turn or self._reduction is None:
            self._turn = turn
            self._reduction = Reduction(slots, self._rounding, self.version, self._held.span.begin)
        for block, gradient in zip(blocks, gradients, strict=True):
            if self._rounding is not None:
                gradient = self._rounding.unpack(gradient, self._held.span.length)
            self._reduction.add(block, Partial(gradient, 0.0, 0, 0))

    def squares(self, divisor: float) -> list[float]:
        """The sums of the chunks' squares of the averaged gradient, once all its blocks are there."""
        return chunk_squares(*self._halves(), divisor)

    def move(self, move: Move) -> None:
        """The optimizer's part of the step; what is left of it is `close`."""
        span, version, weights, state = self._held
        left, right = self._halves()
        step = Step(weights, state, left, right, move.divisor, move.rate, version + 1, move.scale, span.begin)
        self._updates.move(step)

    def add_unit_squares(self, squares: UnitSquares) -> UnitSquares:
        """The running sums of max-norm, in arrays of their own, with this segment's added."""
        squares = [sums.copy() for sums in squares]
        self._updates.add_unit_squares(self._held.weights, self._held.span.begin, squares)
        return squares

    def close(self, squares: UnitSquares | None = None) -> F32Array:
        """The end of the step, and the view after it, until the next `close`. squares: of all segments, where units are
        limited."""
        span, version, weights, state = self._held
        if squares is not None:
            self._updates.limit(weights, span.begin, squares)
        self._updates.average(weights, state, version + 1)
        self._held = self._held._replace(version=version + 1)
        self._reduction = None
        return self.view()

    def view(self) -> F32Array:
        """This segment of the weights at which gradients are taken."""
        span, version, weights, state = self._held
        view = self._updates.view(weights, state, version, self._room, span.begin)
        self._room = None if view is weights else view
        return view

    def held(self) -> Held:
        """What it remembers, from between two steps. Diverged where a weight is not finite."""
        check_weights(self._held.weights, self._held.version)
        return self._held

    def _halves(self) -> tuple[F32Array, F32Array | None]:
        if self._reduction is None:
            raise TrainingError("no gradient has come for this step", got=f"version {self.version}")
        left, right = self._reduction.halves()
        return left.gradient, None if right is None else right.gradient


def divided(state: ServerState, servers: int) -> list[Held]:
    """A server's state as that of several: views of it."""
    return [
        Held(
            span,
            state.version,
            state.weights[span.begin : span.end],
            {name: array[span.begin : span.end] for name, array in state.optimizer.items()},
        )
        for span in spans(len(state.weights), servers)
    ]


def united(books: ServerState, parts: Sequence[Held]) -> ServerState:
    """The state of one server, from its books (a state without arrays) and all segments in order."""
    weights = np.concatenate([part.weights for part in parts])
    names = parts[0].optimizer
    arrays = {name: np.concatenate([part.optimizer[name] for part in parts]) for name in names}
    return dataclasses.replace(books, weights=weights, optimizer=arrays)


def own(held: Held) -> Held:
    """The same in arrays of its own, which may be written to."""
    optimizer = {name: array.copy() for name, array in held.optimizer.items()}
    return held._replace(weights=held.weights.copy(), optimizer=optimizer)
