"""The parameter server of a stale run: each contribution is a whole batch and an update of its own, as it arrives.

A worker takes the next batch of the run's order and a copy of the weights as they are, and gives back the batch's sum,
which moves the weights at once, though others may have moved them meanwhile. How many did is the update's *staleness*.
Each batch of the run counts exactly once: what its worker does not bring is handed out again. Epochs do not overlap:
the first batch of one is handed out when the last of the one before has come.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from millrace.runs import JournalRow
from millrace.workers.parameter_server import F32Array, ParameterServer, ServerState, Update
from millrace.workers.setup import Setup
from millrace.workers.tree import Partial


class Grant(NamedTuple):
    """What a worker computes: the batch (a step of the stream), at the weights of the version `read`. turn: the update
    that it must become; None: the next one, whichever that is."""

    batch: int
    read: int
    turn: int | None = None


class Grants:
    """Which batches are at whose hands. bound: how many versions a contribution may be behind when it comes (None: any
    number); kept by what is handed out, so nothing that was computed ever waits.

    version, left: of the state that the run goes on from (`ServerState.left`).
    """

    def __init__(
        self, steps: int, per_epoch: int, bound: int | None, version: int = 0, left: Sequence[int] = ()
    ) -> None:
        self._steps, self._per_epoch, self._bound = steps, per_epoch, bound
        self._left, self._next = sorted(left), version + len(left)
        self._out: dict[int, Grant] = {}  # by worker

    @property
    def undone(self) -> tuple[int, ...]:
        """The batches that were handed out and have not come, ascending."""
        return tuple(sorted([*self._left, *(grant.batch for grant in self._out.values())]))

    def take(self, worker: int, version: int, limit: int) -> Grant | None:
        """The next batch below the limit for a worker, whose earlier one is forgotten; None where it has to wait."""
        self.lose(worker)
        batch = self._left[0] if self._left else self._next
        edge = (version // self._per_epoch + 1) * self._per_epoch
        if batch >= min(limit, edge, self._steps) or not self._keeps_bound(version):
            return None
        if self._left:
            self._left.pop(0)
        else:
            self._next += 1
        self._out[worker] = Grant(batch, version)
        return self._out[worker]

    def give(self, worker: int, grant: Grant) -> bool:
        """Whether this is what the worker holds; it is done then."""
        if self._out.get(worker) != grant:
            return False
        del self._out[worker]
        return True

    def put_back(self, grant: Grant) -> None:
        """What was given could not be used: its batch is handed out again."""
        self._left = sorted([*self._left, grant.batch])

    @property
    def latest(self) -> int | None:
        """The worker whose weights are the oldest; None where nobody has any."""
        return min(self._out, key=lambda worker: self._out[worker].read, default=None)

    def lose(self, worker: int) -> None:
        """The worker is gone, or begins anew: its batch is handed out again."""
        if worker in self._out:
            self._left = sorted([*self._left, self._out.pop(worker).batch])

    def _keeps_bound(self, version: int) -> bool:
        """Whether one more may be handed out: the oldest weights that are in use would be the furthest behind if all
        that is out, and the new one, came before their user."""
        oldest = min((grant.read for grant in self._out.values()), default=version)
        return self._bound is None or version + len(self._out) - oldest <= self._bound


class StaleServer(ParameterServer):
    """`take` and `give` may be called in any number of threads; the others of a `ParameterServer` are not for it."""

    def __init__(self, setup: Setup, state: ServerState | None = None) -> None:
        super().__init__(setup, state)
        start = state or self._state
        steps, per_epoch = setup.total_steps, setup.order.steps_per_epoch
        self._left, self._first = start.left, start.version + len(start.left)
        self.grants = Grants(steps, per_epoch, setup.job.bound, start.version, start.left)

    @property
    def ended(self) -> bool:
        """Whether there is nothing to be taken any more."""
        return self.version >= self._setup.total_steps

    def batches(self) -> Iterator[int]:
        """The batches in the order in which they will be handed out, if none is lost."""
        yield from self._left
        yield from range(self._first, self._setup.total_steps)

    def missing(self) -> list[int]:
        """The batches that were handed out and have not come."""
        with self._updating:
            return list(self.grants.undone)

    def take(self, worker: int, limit: int, weights: F32Array) -> Grant | None:
        """The next batch below the limit, and into `weights` (float32 (parameters,)) a copy of those to take its
        gradient at; None where there is nothing to do until the next update."""
        with self._updating:
            grant = self.grants.take(worker, self.version, limit)
            if grant is not None:
                np.copyto(weights, self._view)
            return grant

    def due(self, grant: Grant) -> bool:
        """Whether its sum may be given now."""
        return grant.turn is None or grant.turn == self.version

    def give(self, worker: int, grant: Grant, partial: Partial) -> Update | None:
        """Move the weights by a whole batch's sum; None, and nothing is changed, where the worker does not hold it any
        more. Errors: Diverged, as `update`; the batch has not come then."""
        with self._updating:
            if not self.grants.give(worker, grant):
                return None
            row = JournalRow(worker, grant.batch, grant.read)
            try:
                return self._move(partial, None, row=row, undone=self.grants.undone)
            except BaseException:
                self.grants.put_back(grant)
                raise

    def _open(self) -> None:
        """There is no step that waits for contributions."""
        self._reduction = None
