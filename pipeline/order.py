"""The order of an epoch: which sample stands where, computed for any position, remembered for none."""

import numpy as np
import numpy.typing as npt

from millrace.counters import Purpose, permute
from millrace.errors import UsageError


def slot_size(batch: int, chosen: int | None = None) -> int:
    """R, the samples of a slot: as chosen, else min(128, ⌈batch/2⌉). Never derived from workers or cores."""
    if chosen is None:
        return min(128, -(-batch // 2))
    if chosen < 1 or chosen > batch:
        raise UsageError("the slot size is out of range", expected=f"1 to the batch size {batch}", got=chosen)
    return chosen


class Order:
    """Steps, slots and the samples in them. `samples` is their number n; a batch never spans two epochs.

    Epoch e visits the positions 0 … n−1 in the order that the keyed bijection (seed, e) gives them, or as they stand
    where `shuffle` is off. drop_last: an epoch ends before a step that would have fewer samples than the batch.
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
    ) -> None:
        if samples < 1:
            raise UsageError("there is nothing to train on", expected="at least one sample", got=samples)
        if not 1 <= batch <= samples:
            raise UsageError(
                "the batch does not fit the training samples",
                expected=f"1 to {samples}",
                got=batch,
                do=f"choose a batch of {samples} or less",
            )
        self.samples, self.batch, self.seed, self.shuffle = samples, batch, seed, shuffle
        self.slot = slot_size(batch, slot)
        self.steps_per_epoch = samples // batch if drop_last else -(-samples // batch)

    def epoch(self, step: int) -> int:
        """The epoch that a step belongs to."""
        return step // self.steps_per_epoch

    def size(self, step: int) -> int:
        """The number of samples of a step: the batch, or what is left for the last step of an epoch."""
        begin = step % self.steps_per_epoch * self.batch
        return min(self.batch, self.samples - begin)

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
        begin = step % self.steps_per_epoch * self.batch
        first = begin + slot * self.slot
        return first, min(first + self.slot, begin + self.size(step))

    def share(self, step: int, rank: int, world: int) -> tuple[int, int]:
        """The positions [begin, end) within the epoch that one of `world` ranks has of a step: consecutive, none
        twice, together the step; their numbers differ by at most one, and may be 0."""
        begin, size = step % self.steps_per_epoch * self.batch, self.size(step)
        return begin + size * rank // world, begin + size * (rank + 1) // world

    def places(self, step: int, slot: int) -> npt.NDArray[np.int64]:
        """Where the slot's samples lie among the n training samples: int64, shape (rows,), values in [0, n)."""
        return self.visited(self.epoch(step), *self.span(step, slot))

    def visited(self, epoch: int, first: int, last: int) -> npt.NDArray[np.int64]:
        """Which of the n training samples stand at the positions [first, last) of an epoch: int64, values in [0, n)."""
        positions = np.arange(first, last, dtype=np.int64)
        if not self.shuffle:
            return positions
        return permute(positions, self.samples, seed=self.seed, purpose=Purpose.ORDER, tweak=epoch)
