"""The order of an epoch: which sample stands where, computed for any position, remembered for none."""

import numpy as np
import numpy.typing as npt

from millrace.counters import Purpose, permute, position_of
from millrace.errors import UsageError
from millrace.pipeline.balance import Balance, BalancedRows
from millrace.pipeline.sizes import Sizes

PIECE = 1 << 16  # positions that are looked at together


def slot_size(batch: int, chosen: int | None = None) -> int:
    """R, the samples of a slot: as chosen, else min(128, ⌈batch/2⌉). Never derived from workers or cores."""
    if chosen is None:
        return min(128, -(-batch // 2))
    if chosen < 1 or chosen > batch:
        raise UsageError("the slot size is out of range", expected=f"1 to the batch size {batch}", got=chosen)
    return chosen


class Order(Sizes):
    """Steps, slots and the samples in them. `samples` is their number n; a batch never spans two epochs.

    Epoch e visits the positions 0 … n−1 in the order that the keyed bijection (seed, e) gives them, or as they stand
    where `shuffle` is off. drop_last: an epoch ends before a step that would have fewer samples than the batch.
    balance: which samples take turns, where every class is to come equally often (`pipeline.balance`); one that knows
    their numbers alone says how often they were shown, and `visited` is not asked.
    """

    def __init__(
        self,
        samples: int,
        *,
        batch: int,
        slot: int | None,
        seed: int,
        shuffle: bool = True,
        drop_last: bool = False,
        balance: Balance | None = None,
    ) -> None:
        if samples < 1:
            raise UsageError("there is nothing to train on", expected="at least one sample", got=samples)
        if not 1 <= batch <= samples:
            raise UsageError(
                "the batch does not fit the training samples",
                expected=f"1 to {samples}",
                got=batch,
                do=f"choose `batch={samples}` or less",
            )
        super().__init__(samples, batch=batch, drop_last=drop_last)
        self.balance = balance
        self.seed, self.shuffle, self.slot = seed, shuffle, slot_size(batch, slot)

    @property
    def most_slots(self) -> int:
        """The number of slots of a full step."""
        return -(-self.batch // self.slot)

    def slots(self, step: int) -> int:
        """The number of slots of a step."""
        return -(-self.size(step) // self.slot)

    def span(self, step: int, slot: int) -> tuple[int, int]:
        """The positions [begin, end) within the epoch that a slot covers."""
        if step < 0 or not 0 <= slot < self.slots(step):
            raise UsageError(
                "no such slot",
                expected=f"0 to {self.slots(max(step, 0)) - 1}",
                got=f"step {step}, slot {slot}",
            )
        begin = self.begin(step)
        first = begin + slot * self.slot
        return first, min(first + self.slot, begin + self.size(step))

    def places(self, step: int, slot: int) -> npt.NDArray[np.int64]:
        """Where the slot's samples lie among the n training samples: int64, shape (rows,), values in [0, n)."""
        return self.visited(self.epoch(step), *self.span(step, slot))

    def visited(self, epoch: int, first: int, last: int) -> npt.NDArray[np.int64]:
        """Which of the n training samples stand at the positions [first, last) of an epoch: int64, values in [0, n)."""
        return self.shown(epoch, first, last)[0]

    def shown(self, epoch: int, first: int, last: int) -> tuple[npt.NDArray[np.int64], int | npt.NDArray[np.int64]]:
        """`visited` and `before` of these positions, from one permutation of them."""
        if isinstance(self.balance, BalancedRows):
            return self.balance.shown(self._turns(epoch, first, last))
        return self._shuffled(epoch, first, last), self.before(epoch, first, last)

    def position(self, epoch: int, sample: int) -> int | None:
        """The first position of an epoch that one of the n training samples stands at; None where it does not come in
        it, as some do not where classes are balanced: they are searched for, in pieces."""
        if self.balance is None:
            return (
                position_of(sample, self.samples, seed=self.seed, purpose=Purpose.ORDER, tweak=epoch)
                if self.shuffle
                else sample
            )
        for first in range(0, self.samples, PIECE):
            found = np.flatnonzero(self.visited(epoch, first, min(first + PIECE, self.samples)) == sample)
            if len(found):
                return first + int(found[0])
        return None

    def before(self, epoch: int, first: int, last: int) -> int | npt.NDArray[np.int64]:
        """How often the samples at the positions [first, last) of an epoch were shown before: what their draws are made
        from. The epoch, where each comes once in each; else int64, one for each position."""
        return epoch if self.balance is None else self.balance.before(self._turns(epoch, first, last))

    def before_slot(self, step: int, slot: int) -> int | npt.NDArray[np.int64]:
        """`before` of the samples of a slot."""
        return self.before(self.epoch(step), *self.span(step, slot))

    def _turns(self, epoch: int, first: int, last: int) -> npt.NDArray[np.int64]:
        return epoch * self.samples + self._shuffled(epoch, first, last)

    def _shuffled(self, epoch: int, first: int, last: int) -> npt.NDArray[np.int64]:
        positions = np.arange(first, last, dtype=np.int64)
        if not self.shuffle:
            return positions
        return permute(positions, self.samples, seed=self.seed, purpose=Purpose.ORDER, tweak=epoch)
