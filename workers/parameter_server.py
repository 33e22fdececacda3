"""The parameter server: weights, optimizer state, and the average of the workers' gradients."""

import dataclasses
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.errors import Diverged, TrainingError
from millrace.model import Spread, Step, gradient_norm, plateau_factor, served
from millrace.runs import JournalRow
from millrace.workers.ledger import EMPTY, extend
from millrace.workers.setup import Setup
from millrace.workers.tree import Block, Partial, Reduction

F32Array = npt.NDArray[np.float32]


class Update(NamedTuple):
    """One finished step, from the server to the trainer.

    loss: sum over the samples, in nats, before the update; correct, samples: counts; rate: the learning rate.
    epoch_loss, epoch_correct, epoch_samples: the sums since the epoch's first step; ledger: the epoch's digest so far,
    hex. norm: of the averaged gradient before clipping, where it was asked for. seconds, waiting: since the step
    before, and the share of the workers' time in these that they waited for data; the runtime fills them in.
    row: of a stale run's journal.
    """

    step: int
    loss: float
    correct: int
    samples: int
    rate: float
    epoch_loss: float
    epoch_correct: int
    epoch_samples: int
    ledger: str
    norm: float | None = None
    seconds: float = 0.0
    waiting: float = 0.0
    row: JournalRow | None = None


@dataclass(frozen=True)
class ServerState:
    """All that the server must remember: copies, free of its locks. `version` steps are in the weights.

    left: of a stale run, the batches that have not come although later ones have."""

    version: int
    weights: F32Array
    optimizer: dict[str, F32Array]
    epoch_loss: float = 0.0
    epoch_correct: int = 0
    epoch_samples: int = 0
    ledger: str = EMPTY
    left: tuple[int, ...] = ()

    @classmethod
    def first(cls, setup: Setup) -> "ServerState":
        """Before the first step."""
        weights = setup.network.initial(setup.job.seed)
        return cls(0, weights, setup.updates.initial_state(weights))

    def copy(self) -> "ServerState":
        """The same state in arrays of its own, which may be written to."""
        optimizer = {name: array.copy() for name, array in self.optimizer.items()}
        return dataclasses.replace(self, weights=self.weights.copy(), optimizer=optimizer)

    @property
    def served(self) -> F32Array:
        """The weights that are evaluated: their average where there is one."""
        return served(self.weights, self.optimizer)


class Totals(NamedTuple):
    """What a step's contributions come to, without the gradient; see `Partial`."""

    loss: float
    correct: int
    samples: int
    digests: tuple[bytes, ...]

    @classmethod
    def of(cls, left: Partial, right: Partial | None) -> "Totals":
        """Of the two halves of a batch's sum."""
        if right is None:
            return cls(left.loss, left.correct, left.samples, left.digests)
        digests = left.digests + right.digests
        return cls(left.loss + right.loss, left.correct + right.correct, left.samples + right.samples, digests)


class ParameterServer:
    """Takes contributions to one step at a time, each slot once; updates when all slots are covered.

    Safe in threads: `contribute` in any number of them; the one that completes the step calls `update`.
    """

    def __init__(self, setup: Setup, state: ServerState | None = None) -> None:
        self._setup = setup
        state = state or ServerState.first(setup)
        self._state = state
        self.norm_wanted = False  # whether updates say the gradient's norm; it costs a pass and changes no bit
        self.began, self.publishing = 0.0, 0.0  # when the newest update did, and the seconds that its view took
        self._cuts: tuple[int, ...] = ()
        self._room: F32Array | None = None
        self._view = self._publish(state)
        self._lock = threading.Lock()
        self._updating = threading.Lock()
        self._reduction: Reduction | None = None
        self._open()

    @property
    def version(self) -> int:
        """The number of steps in the weights; the step that contributions are taken for."""
        return self._state.version

    @property
    def view(self) -> F32Array:
        """The weights at which gradients are taken, float32 (parameters,); to be read until the step is complete."""
        return self._view

    def cut(self, epochs: Sequence[int]) -> None:
        """The epochs from whose beginning on the plateau schedule cuts the rate; those to come included."""
        self._cuts = tuple(epochs)

    def contribute(self, step: int, block: Block, partial: Partial) -> tuple[bool, bool]:
        """(taken, complete): whether the contribution counts, and whether the caller must now call `update`.

        A contribution to another step, or to slots of which one is covered, is dropped whole.
        """
        with self._lock:
            if self._reduction is None or step != self.version or not self._reduction.add(block, partial):
                return False, False
            return True, self._reduction.complete

    def missing(self) -> list[int]:
        """The slots of the current step that were not contributed yet."""
        with self._lock:
            return self._reduction.missing() if self._reduction else []

    def update(self, spread: Spread | None = None) -> Update:
        """Average the complete step's gradients and move the weights. Diverged where the loss is not finite: the
        weights stay as they were before the step. spread: see `model.updates`; it changes no bit."""
        # `_updating` is held for the whole update, so that a snapshot falls between two. `_lock` is not: contributions
        # that come late, and are dropped, need not wait for the milliseconds that it takes.
        with self._updating:
            if self._reduction is None:
                raise TrainingError("there is no step left to update", got=f"version {self.version}")
            # Complete, so nothing changes it any more. The kernel adds the two halves while it reads them: one pass
            # over the memory less.
            return self._move(*self._reduction.halves(), spread)

    def snapshot(self) -> ServerState:
        """Copies of everything, from between two updates. Diverged where a weight is not finite."""
        with self._updating:
            state = self._state
            check_weights(state.weights, state.version)
            return state.copy()

    def _move(
        self,
        left: Partial,
        right: Partial | None,
        spread: Spread | None = None,
        row: JournalRow | None = None,
        undone: tuple[int, ...] = (),
    ) -> Update:
        """Update with the two halves of a batch's sum, `_updating` held. row, undone: of a stale run's server."""
        self.began = time.perf_counter()
        state, step, totals = self._state, self.version, Totals.of(left, right)
        self._check_loss(totals)
        sums_of, samples = (left.gradient, right.gradient if right else None), float(totals.samples)
        scale = self._check_scale(self._setup.updates.scale(*sums_of, samples))
        norm = gradient_norm(*sums_of, samples) if self.norm_wanted else None
        rate = self._rate(step)
        move = Step(state.weights, state.optimizer, *sums_of, samples, rate, step + 1, scale)
        self._setup.updates.step(move, spread)
        return self._close(totals, rate, norm, row, undone)

    # Both checks come before a weight is touched: what is served and kept after a breakdown is the last good.

    def _check_loss(self, totals: Totals) -> None:
        if not math.isfinite(totals.loss):
            raise not_finite(self.version, totals.loss)

    def _check_scale(self, scale: float) -> float:
        if not math.isfinite(scale):
            raise not_finite(self.version, "a gradient that is not finite")
        return scale

    def _close(
        self, totals: Totals, rate: float, norm: float | None, row: JournalRow | None, undone: tuple[int, ...]
    ) -> Update:
        """The weights have moved: count the step and open the next one."""
        state, step = self._state, self.version
        loss, correct, samples, digests = totals
        ledger = extend(state.ledger, digests)
        sums = (state.epoch_loss + loss, state.epoch_correct + correct, state.epoch_samples + samples, ledger)
        # The line of an epoch's last step has the whole epoch's sums; the state after it begins the next ones.
        edge = (step + 1) % self._setup.order.steps_per_epoch == 0
        kept = (0.0, 0, 0, EMPTY) if edge else sums
        with self._lock:
            state = ServerState(step + 1, state.weights, state.optimizer, *kept, undone)
            # The view first: who sees the new version reads the view at once, without the lock.
            began = time.perf_counter()
            self._view = self._publish(state)
            self.publishing = time.perf_counter() - began
            self._state = state
            self._open()
        return Update(step, loss, correct, samples, rate, *sums, norm, row=row)

    def _rate(self, step: int) -> float:
        """The learning rate of a step."""
        rate, options = self._setup.schedule(step), self._setup.job.schedule
        return rate * plateau_factor(options, self._cuts, self._setup.order.epoch(step)) if self._cuts else rate

    def _publish(self, state: ServerState) -> F32Array:
        """The view at a state's version; an array that is not θ itself is written over at each."""
        view = self._setup.updates.view(state.weights, state.optimizer, state.version, self._room)
        self._room = None if view is state.weights else view
        return view

    def _open(self) -> None:
        """Make room for the next step's contributions."""
        setup, step = self._setup, self.version
        ended = step >= setup.total_steps
        self._reduction = None if ended else Reduction(setup.order.slots(step), setup.rounding, step)


def check_weights(weights: F32Array, version: int) -> None:
    """Diverged where a weight is not finite."""
    if not np.isfinite(weights).all():
        raise not_finite(version - 1, "a weight that is not finite")


def not_finite(step: int, got: object) -> Diverged:
    """How a training that broke down says so."""
    return Diverged(
        f"training broke down at step {step}",
        expected="a finite loss and finite weights",
        got=got,
        do="lower the learning rate (`optimizer.rate`), or warm it up (`schedule.warmup`)",
    )
