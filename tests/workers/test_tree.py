"""The tree: any partition in blocks, in any order, gives the bits of the sequential tree."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.errors import UsageError
from millrace.model import Rounding
from millrace.model import rounding as page
from millrace.model.options import BFLOAT16, INT8
from millrace.workers.tree import Block, Partial, Reduction, aligned, below_root, join, root, share, tree_sum

WIDTH = 5


def leaf(slot: int) -> Partial:
    """A slot's sum with values whose addition rounds, so that another order gives other bits."""
    rng = np.random.default_rng(slot)
    gradient = (rng.standard_normal(WIDTH) * 10.0 ** rng.integers(-4, 5, WIDTH)).astype(np.float32)
    return Partial(gradient, float(rng.standard_normal() * 1e3), slot + 1, 2 * slot + 1, (bytes([slot]),))


def sequential(block: Block, slots: int) -> Partial:
    """The block's sum, written down as the definition has it."""
    if block.size == 1:
        return leaf(block.start)
    half = block.size // 2
    left = sequential(Block(block.start, half), slots)
    if block.start + half >= slots:
        return left
    right = sequential(Block(block.start + half, half), slots)
    return Partial(
        left.gradient + right.gradient,
        left.loss + right.loss,
        left.correct + right.correct,
        left.samples + right.samples,
        left.digests + right.digests,
    )


def same(left: Partial, right: Partial) -> bool:
    return left.gradient.tobytes() == right.gradient.tobytes() and left[1:] == right[1:]


def whole(reduction: Reduction) -> Partial:
    left, right = reduction.halves()
    return left if right is None else join(left, right)


@st.composite
def partitions(draw: st.DrawFn) -> tuple[int, list[Block]]:
    """A number of slots, and blocks that cover each of them once, in any order."""
    slots = draw(st.integers(1, 19))
    blocks, pending = [], [root(slots)]
    while pending:
        block = pending.pop()
        if block.start >= slots:
            continue
        if block.size > 1 and draw(st.booleans()):
            half = block.size // 2
            pending += [Block(block.start, half), Block(block.start + half, half)]
        else:
            blocks.append(block)
    return slots, draw(st.permutations(blocks))


@given(partitions())
def test_any_partition_in_any_order_gives_the_bits_of_the_sequential_tree(case: tuple[int, list[Block]]) -> None:
    slots, blocks = case
    reduction = Reduction(slots)
    for block in blocks:
        assert not reduction.complete
        assert reduction.add(block, sequential(block, slots))
    assert reduction.complete
    assert same(whole(reduction), sequential(root(slots), slots))


def rounded(block: Block, slots: int, kind: str) -> Partial:
    """The block's sum where each node below the root is rounded, by the page to read."""

    def rounding(partial: Partial, node: Block) -> Partial:
        how = page.to_int8 if kind == INT8 else page.to_bfloat16
        return partial._replace(gradient=how(partial.gradient, page.draws(5, 11, *node, 0, WIDTH)))

    if block.size == 1:
        return rounding(leaf(block.start), block)
    half = block.size // 2
    left = rounded(Block(block.start, half), slots, kind)
    if block.start + half >= slots:
        return left
    right = rounded(Block(block.start + half, half), slots, kind)
    total = join(left._replace(gradient=left.gradient.copy()), right)
    return total if block == root(slots) else rounding(total, block)


def test_only_what_is_below_the_root_is_rounded() -> None:
    assert below_root(Block(0, 8), 7) == [Block(0, 4), Block(4, 4)]
    assert below_root(Block(0, 2), 2) == [Block(0, 1), Block(1, 1)]
    for block, slots in ((Block(0, 1), 1), (Block(0, 4), 7), (Block(4, 4), 8), (Block(2, 1), 3)):
        assert below_root(block, slots) == [block]


@settings(max_examples=40)
@given(partitions(), st.sampled_from([BFLOAT16, INT8]))
def test_rounded_sums_have_the_same_bits_for_any_partition(case: tuple[int, list[Block]], kind: str) -> None:
    slots, blocks = case
    reduction = Reduction(slots, Rounding(kind, 5), 11)
    for block in blocks:
        assert reduction.add(block, rounded(block, slots, kind))
    assert same(whole(reduction), rounded(root(slots), slots, kind))


@given(partitions(), partitions())
def test_a_block_that_touches_a_covered_slot_changes_nothing(
    case: tuple[int, list[Block]], other: tuple[int, list[Block]]
) -> None:
    slots, blocks = case
    reduction, covered = Reduction(slots), set[int]()
    others_blocks = [block for block in other[1] if block.start < slots and block.size <= root(slots).size]
    for block in [*others_blocks, *blocks, *others_blocks]:
        own = set(range(block.start, min(block.end, slots)))
        assert reduction.add(block, sequential(block, slots)) == (not covered & own)
        covered |= own if not covered & own else set()
        assert reduction.missing() == sorted(set(range(slots)) - covered)
    for slot in reduction.missing():
        assert reduction.add(Block(slot, 1), leaf(slot))
    assert same(whole(reduction), sequential(root(slots), slots))


def test_a_missing_leaf_is_skipped_and_not_added_as_zero() -> None:
    negative = np.full(WIDTH, -0.0, np.float32)
    reduction = Reduction(3)
    for slot in range(3):
        reduction.add(Block(slot, 1), Partial(negative.copy(), -0.0, 0, 1))
    total = whole(reduction)
    assert total.gradient.tobytes() == negative.tobytes()
    assert math.copysign(1, total.loss) == -1


def test_order_of_arrival_would_matter_without_the_tree() -> None:
    a, b, c = (leaf(slot).gradient for slot in range(3))
    assert ((a + b) + c).tobytes() != (a + (b + c)).tobytes()


@given(st.integers(0, 40), st.integers(0, 40))
def test_aligned_covers_exactly_with_aligned_powers_of_two(begin: int, end: int) -> None:
    blocks = aligned(begin, end)
    assert [slot for block in blocks for slot in range(block.start, block.end)] == list(range(begin, end))
    assert all(block.size.bit_count() == 1 and block.start % block.size == 0 for block in blocks)


@given(st.integers(1, 40), st.integers(1, 12))
def test_shares_cover_every_slot_once_and_are_even(slots: int, workers: int) -> None:
    shares = [share(slots, workers, worker) for worker in range(workers)]
    covered = [slot for blocks in shares for block in blocks for slot in range(block.start, block.end)]
    assert covered == list(range(slots))
    sizes = [sum(block.size for block in blocks) for blocks in shares]
    assert max(sizes) - min(sizes[: min(slots, workers)]) <= 1


@given(st.lists(st.floats(-1e6, 1e6), max_size=20))
def test_tree_sum_is_the_sum_of_the_tree(values: list[float]) -> None:
    reduction = Reduction(max(1, len(values)))
    for slot, value in enumerate(values or [0.0]):
        reduction.add(Block(slot, 1), Partial(np.zeros(1, np.float32), value, 0, 1))
    assert tree_sum(values) == whole(reduction).loss
    assert tree_sum(values) == pytest.approx(math.fsum(values), abs=1e-6)


def test_relations_of_blocks() -> None:
    assert Block(4, 2).parent == Block(4, 4)
    assert Block(6, 2).parent == Block(4, 4)
    assert Block(6, 2).sibling == Block(4, 2)
    assert [root(slots).size for slots in (1, 2, 3, 4, 5, 8, 9)] == [1, 2, 4, 4, 8, 8, 16]


@pytest.mark.parametrize("block", [Block(1, 2), Block(0, 3), Block(0, 0), Block(5, 1), Block(-1, 1), Block(0, 16)])
def test_what_is_no_block_of_the_tree_is_refused(block: Block) -> None:
    with pytest.raises(UsageError, match="no block of this step's tree"):
        Reduction(5).add(block, leaf(0))


def test_halves_of_an_incomplete_step_and_a_step_without_slots_are_refused() -> None:
    reduction = Reduction(2)
    reduction.add(Block(1, 1), leaf(1))
    with pytest.raises(UsageError, match="not complete"):
        reduction.halves()
    with pytest.raises(UsageError, match="no slots"):
        Reduction(0)


def test_a_gradient_that_cannot_be_written_to_is_left_alone() -> None:
    fixed = leaf(0)
    fixed.gradient.flags.writeable = False
    before = fixed.gradient.tobytes()
    total = join(fixed, leaf(1))
    assert fixed.gradient.tobytes() == before
    assert same(total, sequential(Block(0, 2), 2))
