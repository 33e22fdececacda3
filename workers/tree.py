"""The fixed reduction tree: blocks of slots, and the sum of their partial sums, the same for any number of workers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.errors import UsageError

if TYPE_CHECKING:  # its kernels, which take seconds to compile, are for runs that round
    from millrace.model import Rounding

F32Array = npt.NDArray[np.float32]


def add(left: F32Array, right: F32Array) -> F32Array:
    """left + right in float32, into `left` where it may be written to."""
    return np.add(left, right, out=left if left.flags.writeable else None)


class Block(NamedTuple):
    """Slots [start, start + size): a node of the tree; size is a power of two and divides start."""

    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def parent(self) -> "Block":
        size = self.size * 2
        return Block(self.start // size * size, size)

    @property
    def sibling(self) -> "Block":
        return Block(self.start ^ self.size, self.size)


class Partial(NamedTuple):
    """The sums over a block's samples: gradient float32 (parameters,), loss in nats, correct answers, samples; and the
    digest of each slot's data, in order (see `workers.ledger`)."""

    gradient: F32Array
    loss: float
    correct: int
    samples: int
    digests: tuple[bytes, ...] = ()


def join(left: Partial, right: Partial) -> Partial:
    """The partial sum of two neighbours; the gradient is added into the left one where it may be written to."""
    return Partial(
        add(left.gradient, right.gradient),
        left.loss + right.loss,
        left.correct + right.correct,
        left.samples + right.samples,
        left.digests + right.digests,
    )


def root(slots: int) -> Block:
    """The whole tree over a step's slots: the next power of two of them."""
    return Block(0, 1 << (slots - 1).bit_length())


def below_root(block: Block, slots: int) -> list[Block]:
    """The block itself, or its two halves where it is the root of a step of several slots: what is rounded."""
    half = block.size // 2
    return [block] if not half or block != root(slots) else [Block(0, half), Block(half, half)]


def aligned(begin: int, end: int) -> list[Block]:
    """The fewest blocks that cover the slots [begin, end), in order."""
    blocks = []
    while begin < end:
        size = begin & -begin or 1 << (end - 1).bit_length()
        while begin + size > end:
            size //= 2
        blocks.append(Block(begin, size))
        begin += size
    return blocks


def share(slots: int, workers: int, worker: int) -> list[Block]:
    """The blocks of one worker of several: contiguous shares, as even as slots allow; empty beyond the slots."""
    used = min(slots, workers)
    if worker >= used:
        return []
    return aligned(worker * slots // used, (worker + 1) * slots // used)


def tree_sum(values: Sequence[float]) -> float:
    """float64 values, one a slot, added along the tree."""
    level = list(values)
    while len(level) > 1:
        level = [a + b for a, b in zip(level[::2], level[1::2], strict=False)] + (level[-1:] if len(level) % 2 else [])
    return level[0] if level else 0.0


class Reduction:
    """One step's sum. Blocks come in any order; a block that touches a covered slot is dropped whole.

    The two halves of the root are left apart: the update adds them while it reads them. rounding, step, first: how what
    is joined here is rounded, where the run rounds its sums; the step, and the first of the flat vector's numbers that
    the gradients have here.
    """

    def __init__(self, slots: int, rounding: "Rounding | None" = None, step: int = 0, first: int = 0) -> None:
        if slots < 1:
            raise UsageError("a step has no slots", expected="at least 1", got=slots)
        self.slots, self.root = slots, root(slots)
        self._rounding, self._step, self._first = rounding, step, first
        self.covered = 0  # a bit for each slot
        self._nodes: dict[Block, Partial] = {}

    @property
    def complete(self) -> bool:
        return self.covered == (1 << self.slots) - 1

    def missing(self) -> list[int]:
        """The slots not covered yet."""
        return [slot for slot in range(self.slots) if not self.covered >> slot & 1]

    def add(self, block: Block, partial: Partial) -> bool:
        """Add a block's partial sum; False (and nothing changed) where any of its slots is covered already."""
        self._check(block)
        mask = ((1 << min(block.end, self.slots)) - 1) & ~((1 << block.start) - 1)
        if self.covered & mask:
            return False
        self.covered |= mask
        self._nodes[block] = partial
        while block.size * 2 < self.root.size:
            if block.sibling.start < self.slots:
                other = self._nodes.get(block.sibling)
                if other is None:
                    break
                left, right = sorted((block, block.sibling))
                joined = join(self._nodes.pop(left), self._nodes.pop(right))
                if self._rounding is not None:
                    self._rounding.apply(joined.gradient, self._step, *block.parent, self._first)
            else:
                # A missing leaf is skipped, not added as zero: −0 + 0 would change a bit.
                joined = self._nodes.pop(block)
            block = block.parent
            self._nodes[block] = joined
        return True

    def halves(self) -> tuple[Partial, Partial | None]:
        """The complete step's two halves of the root; None for the second where there is none."""
        if not self.complete:
            raise UsageError("the step is not complete", expected="all slots", got=f"missing {self.missing()}")
        first, *rest = (self._nodes[block] for block in sorted(self._nodes))
        return first, rest[0] if rest else None

    def _check(self, block: Block) -> None:
        size = block.size
        power = size > 0 and size & (size - 1) == 0
        if not power or block.start % size or not 0 <= block.start < self.slots or size > self.root.size:
            raise UsageError(
                "no block of this step's tree",
                expected=f"an aligned power of two within {self.slots} slots",
                got=f"start {block.start}, size {size}",
            )
