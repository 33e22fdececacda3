"""Partial sums of blocks of every size: the same bits as their slots added along the tree."""

from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from millrace.errors import UsageError
from millrace.pipeline import images_of, labels_of
from millrace.workers.blas import one_blas_thread
from millrace.workers.gradient_worker import GradientWorker, gradient_worker
from millrace.workers.ledger import slot_digest
from millrace.workers.setup import Setup
from millrace.workers.tree import Block, Partial, join, root
from tests.model import reference
from tests.workers.runs import JOB, digits


@cache
def setup() -> Setup:
    return Setup(JOB, digits())


def take(step: int, slot: int) -> tuple[pa.RecordBatch, float]:
    return setup().stream.batch(step, slot), 0.25


def worker() -> GradientWorker:
    return gradient_worker(setup())


def compute(block: Block, step: int = 0) -> Partial:
    with one_blas_thread():
        weights = setup().network.initial(3)
        return worker().compute(weights, step, block, setup().order.slots(step), take)


def same(left: Partial, right: Partial) -> bool:
    return left.gradient.tobytes() == right.gradient.tobytes() and left[1:] == right[1:]


@pytest.mark.parametrize("step", [0, 2])
def test_blocks_of_all_sizes_agree_bit_for_bit(step: int) -> None:
    slots = setup().order.slots(step)
    leaves = [compute(Block(slot, 1), step) for slot in range(slots)]
    size, level = 1, leaves
    while size < root(slots).size:
        pairs = [level[k : k + 2] for k in range(0, len(level), 2)]
        level = [join(*[p._replace(gradient=p.gradient.copy()) for p in pair]) for pair in pairs if len(pair) == 2] + [
            pair[0] for pair in pairs if len(pair) == 1
        ]
        size *= 2
        for number, expected in enumerate(level):
            assert same(compute(Block(number * size, size), step), expected)


def test_the_partial_sum_is_that_of_the_reference_gradient() -> None:
    block = Block(0, 4)
    partial = compute(block)
    batches = [take(0, slot)[0] for slot in range(4)]
    pixels = np.concatenate([images_of(batch) for batch in batches]).reshape(-1, 64) / 255
    x = (pixels - setup().inputs.mean[0]) / setup().inputs.std[0]
    y = np.concatenate([labels_of(batch) for batch in batches])
    layout, weights = setup().network.layout, setup().network.initial(3).astype(np.float64)
    np.testing.assert_allclose(partial.gradient, reference.gradient(layout, weights, x, y), atol=1e-4)
    assert partial.loss == pytest.approx(reference.loss(layout, weights, x, y), rel=1e-5)
    assert partial.correct == (reference.forward(layout, weights, x)[-1].argmax(axis=1) == y).sum()
    assert partial.samples == 32
    assert partial.digests == tuple(map(slot_digest, batches))


def test_slots_beyond_the_step_are_skipped() -> None:
    assert compute(Block(0, 4), step=2).samples == 6
    assert same(compute(Block(0, 4), step=2), compute(Block(0, 1), step=2))
    with pytest.raises(UsageError, match="beyond the step"):
        compute(Block(1, 1), step=2)


def test_arrays_given_back_are_used_again_and_change_nothing() -> None:
    one, weights = worker(), setup().network.initial(3)
    with one_blas_thread():
        first = one.compute(weights, 0, Block(0, 4), 4, take)
        bits = first.gradient.tobytes()
        first.gradient[:] = np.nan
        one.recycle(first.gradient)
        again = one.compute(weights, 0, Block(0, 4), 4, take)
    assert again.gradient.tobytes() == bits
    assert one.waited == 8 * 0.25
