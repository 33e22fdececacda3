"""Which rows train and which validate: class-balanced, pure functions of (labels, sizes, seed)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.counters import Purpose, check_seed, permutation
from millrace.datasets.arrays import Arrays
from millrace.errors import UsageError

I64Array = npt.NDArray[np.int64]
TEST_SHARE = 0.2  # of each class, where nothing is said
CONSTANT_SEED = 0


@dataclass(frozen=True)
class Split:
    """Row numbers of the training table, int64, ascending, disjoint: those trained on, those validated on."""

    train: I64Array
    validation: I64Array


def balanced(labels: npt.ArrayLike, count: int, *, seed: int, purpose: int) -> I64Array:
    """`count` row numbers, ascending, as evenly over the classes as they allow: int64, shape (count,).

    Rows stand in the order of the keyed permutation (seed, purpose); then the first row of every
    class is taken, then the second of every class, and so on, until `count` are; where only some
    classes can give one more, those with the most rows do. So the numbers of rows of two classes differ by
    at most one, unless a class has no more rows to give; the same holds for what is left where it
    held before; and a smaller count takes a part of the rows of a larger one.
    """
    values = np.asarray(labels)
    if not 0 <= count <= len(values):
        raise UsageError("cannot take so many rows", expected=f"0 to {len(values)}", got=count)
    if count == 0:
        return np.empty(0, np.int64)
    order, grouped, counts = _drawn(values, seed, purpose)
    firsts = np.cumsum(counts) - counts
    # In the last round that any row is taken in, not every class may have its turn.
    full = _full_rounds(counts, count)
    taken = np.minimum(counts, full)
    have_more = np.flatnonzero(counts > full)
    place = grouped[firsts[have_more] + full]
    # Stable: of classes of one size the one whose row stands first in the permutation.
    last = np.lexsort((place, -counts[have_more]))[: count - int(taken.sum())]
    chosen: I64Array = order[np.concatenate([grouped[_places(firsts, taken)], place[last]])]
    return np.sort(chosen)


def _drawn(labels: npt.NDArray[Any], seed: int, purpose: int) -> tuple[I64Array, I64Array, I64Array]:
    """The rows in the order of the keyed permutation; places in it, class after class, those of a class in their order:
    int64 (n,) each; how many rows each class has: int64 (classes,)."""
    order = permutation(len(labels), seed=seed, purpose=purpose)
    return order, np.argsort(labels[order], kind="stable"), np.bincount(labels)


def _full_rounds(counts: I64Array, wanted: int) -> int:
    """How often every class that has one left can give a row, before more than `wanted` are given."""
    low, high = 0, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if int(np.minimum(counts, middle).sum()) <= wanted else (low, middle - 1)
    return low


def _places(firsts: I64Array, taken: I64Array) -> I64Array:
    """firsts[c], firsts[c] + 1, …: `taken[c]` of them, class after class."""
    begins = np.cumsum(taken) - taken
    places: I64Array = np.arange(int(taken.sum())) + np.repeat(firsts - begins, taken)
    return places


def rows_to_test(labels: npt.ArrayLike, share: float | None = None) -> I64Array:
    """The rows, int64, ascending, that a dataset without a test split sets apart as one; all others train.

    share: of each class, from 0 (none) to below 1; None: TEST_SHARE. Of a class of m rows m·share are taken, rounded
    (halves up), but at least one and never all: so none of a class of one row. They are drawn with the constant key
    (seed 0, Purpose.TEST), so the same rows for every seed of a run. UsageError for a share out of range.
    """
    share = TEST_SHARE if share is None else share
    if not 0 <= share < 1:
        raise UsageError("the test share is out of range", expected="at least 0 and below 1", got=share)
    values = np.asarray(labels)
    if share == 0 or not len(values):
        return np.empty(0, np.int64)
    order, grouped, counts = _drawn(values, CONSTANT_SEED, Purpose.TEST)
    wanted = np.minimum(np.maximum(np.floor(counts * share + 0.5), 1), np.maximum(counts - 1, 0)).astype(np.int64)
    chosen: I64Array = order[grouped[_places(np.cumsum(counts) - counts, wanted)]]
    return np.sort(chosen)


def with_test(arrays: Arrays, share: float | None = None) -> Arrays:
    """The arrays with the rows of `rows_to_test` in the place of a test split of no rows. UsageError as there."""
    test = rows_to_test(arrays.train_labels, share)
    if not len(test):
        return arrays
    left = np.ones(len(arrays.train_labels), bool)
    left[test] = False
    images, labels = arrays.train_images, arrays.train_labels
    return Arrays(images[left], labels[left], images[test], labels[test])


def split(labels: npt.ArrayLike, *, subset: int | None = None, validation: int = 0, seed: int = 0) -> Split:
    """Rows for training and for validation, from the labels (n,) of the training table.

    `subset` keeps that many rows (all if None), of which `validation` are set apart; both are drawn
    class-balanced (see `balanced`) with keys of their own. UsageError where no row would be left to
    train on, or more are asked for than there are.
    """
    check_seed(seed)
    values = np.asarray(labels)
    total = len(values)
    if subset is not None and not 1 <= subset <= total:
        raise UsageError(
            "the subset does not fit the dataset",
            expected=f"1 to {total} rows",
            got=subset,
            do=f"choose a `subset` of at most {total}, or leave it out",
        )
    kept = (
        np.arange(total, dtype=np.int64)
        if subset is None
        else balanced(values, subset, seed=seed, purpose=Purpose.SUBSET)
    )
    if not 0 <= validation < max(len(kept), 1):
        raise UsageError(
            "the validation split does not fit",
            expected=f"0 to {len(kept) - 1} of {len(kept)} rows, so that some are left to train on",
            got=validation,
            do="choose a smaller `validation`",
        )
    if not validation:
        return Split(train=kept, validation=kept[:0])
    chosen = balanced(values[kept], validation, seed=seed, purpose=Purpose.VALIDATION)
    left = np.ones(len(kept), bool)
    left[chosen] = False
    return Split(train=kept[left], validation=kept[chosen])
