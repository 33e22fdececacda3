"""The gradient worker: a block's slots, forward and backward, to one partial sum."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.errors import UsageError
from millrace.model import Inputs, Network, RowKeys
from millrace.pipeline import Order
from millrace.runs import COMPUTE, DATA, LEDGER, SEND
from millrace.workers.clock import Clock
from millrace.workers.setup import Setup
from millrace.workers.slot import Slot
from millrace.workers.tree import Block, Partial, join, root

if TYPE_CHECKING:  # its kernels, which take seconds to compile, are for runs that round
    from millrace.model import Rounding

Take = Callable[[int, int], tuple[Slot | pa.RecordBatch, float]]  # (step, slot) → its samples, seconds waited


class GradientWorker:
    """Computes partial sums, one thread at a time; holds the arrays that this needs.

    order: of the samples in slots; with the seed it is what random layers draw from. rounding: of the sums below the
    root, if the run rounds them; where `alone`, of the root as well, which comes from one worker then. `waited` counts
    the seconds spent waiting for batches. clock: of the thread that computes.
    """

    def __init__(
        self,
        network: Network,
        inputs: Inputs,
        order: Order,
        *,
        seed: int,
        rounding: "Rounding | None" = None,
        alone: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.network, self.inputs, self.waited = network, inputs, 0.0
        self.clock = clock or Clock()
        self._seed, self._order = seed, order
        self._rounding, self._alone = rounding, alone
        self._workspace = network.workspace(order.slot)
        self._x = np.empty((order.slot, network.inputs), np.float32)
        self._free: list[npt.NDArray[np.float32]] = []

    def compute(self, weights: npt.NDArray[np.float32], step: int, block: Block, slots: int, take: Take) -> Partial:
        """The block's partial sum at these weights (float32 (parameters,), only read).

        slots: how many the step has; those of the block beyond them are skipped. The gradient array belongs to the
        caller until it is handed to `recycle`.
        """
        if block.start >= slots:
            raise UsageError("the block lies beyond the step", expected=f"a start below {slots}", got=block.start)
        if block.size == 1:
            return self._slot(weights, step, block.start, take)
        half = block.size // 2
        left = self.compute(weights, step, Block(block.start, half), slots, take)
        if block.start + half >= slots:
            return left
        right = self.compute(weights, step, Block(block.start + half, half), slots, take)
        total = join(left, right)
        self.recycle(right.gradient)
        if self._rounding is not None and (self._alone or block.size < root(slots).size):
            self._rounding.apply(total.gradient, step, *block)
        return total

    def recycle(self, gradient: npt.NDArray[np.float32]) -> None:
        """Give an array of `compute` back, to be written over."""
        self._free.append(gradient)

    def _slot(self, weights: npt.NDArray[np.float32], step: int, number: int, take: Take) -> Partial:
        self.clock.enter(DATA)
        made, waited = take(step, number)
        self.waited += waited
        if isinstance(made, Slot):
            slot = made
        else:
            self.clock.enter(LEDGER)
            slot = Slot.of(made)
        self.clock.enter(COMPUTE)
        rows = len(slot.labels)
        x = self.inputs.into(slot.images, self._x[:rows])
        out = self._free.pop() if self._free else np.empty(self.network.parameters, np.float32)
        before = self._order.before_slot(step, number) if self.network.random else 0
        keys = RowKeys(self._seed, before, slot.samples) if self.network.random else None
        result = self.network.gradient(weights, x, slot.labels, out, self._workspace, keys)
        self.clock.enter(SEND)
        if self._rounding is not None:
            self._rounding.apply(out, step, number, 1)
        return Partial(out, result.loss, result.correct, rows, (slot.digest,))


def gradient_worker(setup: Setup, clock: Clock | None = None) -> GradientWorker:
    """The gradient worker of a run."""
    return GradientWorker(
        setup.network,
        setup.inputs,
        setup.order,
        seed=setup.job.seed,
        rounding=setup.rounding,
        alone=setup.job.stale,
        clock=clock,
    )
