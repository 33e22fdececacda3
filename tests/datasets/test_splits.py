from collections import Counter
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.counters import Purpose, permutation
from millrace.datasets.splits import balanced, rows_to_test, split
from millrace.errors import UsageError

LABELS = (np.arange(1000) % 7).astype(np.uint8)


def counts(labels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> list[int]:
    return [int(np.sum(labels[rows] == label)) for label in range(int(labels.max()) + 1)]


def take(labels: npt.NDArray[np.uint8], count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    return balanced(labels, count, seed=seed, purpose=Purpose.SUBSET)


some_labels = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda x: np.array(x, np.uint8))


@settings(deadline=None, database=None)
@given(some_labels, st.data())
def test_balanced_takes_as_evenly_as_the_classes_allow(labels: npt.NDArray[np.uint8], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(labels)))
    rows = take(labels, count, data.draw(st.integers(0, 2**32 - 1)))
    assert rows.dtype == np.int64
    assert len(rows) == count
    assert np.all(np.diff(rows) > 0)
    have, taken = Counter(labels.tolist()), Counter(labels[rows].tolist())
    most = max(taken.values(), default=0)
    for label, number in have.items():
        assert taken[label] >= min(number, most - 1)


def by_hand(labels: list[int], count: int, order: list[int]) -> list[int]:
    """Round by round, one row of every class that has one left, larger classes first."""
    sizes, left, taken = Counter(labels), {row: labels[row] for row in order}, list[int]()
    while len(taken) < count:
        firsts = {label: next((row for row in left if left[row] == label), None) for label in sizes}
        rows = [row for row in order if row in firsts.values()]
        for row in sorted(rows, key=lambda row: -sizes[labels[row]]):
            taken.append(row)
            del left[row]
    return sorted(taken[:count])


@settings(deadline=None, database=None, max_examples=50)
@given(some_labels, st.data())
def test_balanced_is_what_its_words_say(labels: npt.NDArray[np.uint8], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(labels)))
    order = permutation(len(labels), seed=3, purpose=Purpose.SUBSET).tolist()
    assert take(labels, count, 3).tolist() == by_hand(labels.tolist(), count, order)


@settings(deadline=None, database=None, max_examples=50)
@given(some_labels, st.integers(0, 2**32 - 1))
def test_less_is_a_part_of_more(labels: npt.NDArray[np.uint8], seed: int) -> None:
    takes = [set(take(labels, count, seed).tolist()) for count in range(len(labels) + 1)]
    assert all(less < more for less, more in pairwise(takes))


@pytest.mark.parametrize(("subset", "validation"), [(None, 0), (None, 100), (700, 0), (701, 99), (13, 6), (1, 0)])
def test_both_parts_are_balanced_and_disjoint(subset: int | None, validation: int) -> None:
    got = split(LABELS, subset=subset, validation=validation, seed=5)
    assert len(got.train) == (subset or 1000) - validation
    assert len(got.validation) == validation
    assert got.train.dtype == got.validation.dtype == np.int64
    both = np.concatenate([got.train, got.validation])
    assert len(np.unique(both)) == len(both)
    for rows in (got.train, got.validation, both):
        assert max(counts(LABELS, rows)) - min(counts(LABELS, rows)) <= 1
        assert rows.tolist() == sorted(rows.tolist()) or rows is both


def test_the_same_seed_the_same_rows_another_seed_other_rows() -> None:
    one, two, other = (split(LABELS, subset=500, validation=70, seed=seed) for seed in (1, 1, 2))
    assert one.train.tolist() == two.train.tolist()
    assert one.validation.tolist() == two.validation.tolist()
    assert one.train.tolist() != other.train.tolist()
    assert one.validation.tolist() != other.validation.tolist()


def test_rows_are_known_answers() -> None:
    # Changes only with the keyed bijection or the definition of "balanced", and so with every stored run.
    got = split(np.arange(12, dtype=np.uint8) % 3, subset=7, validation=3, seed=1)
    assert (got.train.tolist(), got.validation.tolist()) == KNOWN


KNOWN: tuple[list[int], list[int]] = ([2, 3, 4, 5], [0, 1, 8])


def test_rows_of_small_classes_run_out() -> None:
    labels = np.array([0] * 2 + [1] * 50 + [2] * 50, np.uint8)
    assert counts(labels, take(labels, 60)) == [2, 29, 29]
    assert counts(labels, take(labels, 61))[0] == 2


def test_all_rows_train_without_options() -> None:
    got = split(LABELS)
    assert got.train.tolist() == list(range(1000))
    assert got.validation.tolist() == []


@pytest.mark.parametrize(
    ("subset", "validation", "match"),
    [
        (0, 0, "subset does not fit"),
        (-1, 0, "subset does not fit"),
        (1001, 0, "subset does not fit"),
        (None, 1000, "validation split does not fit"),
        (None, -1, "validation split does not fit"),
        (10, 10, "validation split does not fit"),
    ],
)
def test_impossible_sizes_are_refused(subset: int | None, validation: int, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        split(LABELS, subset=subset, validation=validation, seed=0)


def test_impossible_seeds_and_counts_are_refused() -> None:
    with pytest.raises(UsageError, match="seed is out of range"):
        split(LABELS, seed=-1)
    with pytest.raises(UsageError, match="cannot take so many"):
        take(LABELS, 1001)


@pytest.mark.parametrize(("share", "taken"), [(None, [1, 2, 20, 0]), (0.25, [1, 3, 25, 0]), (0.99, [2, 9, 99, 0])])
def test_a_share_of_each_class_is_set_apart_but_never_all(share: float | None, taken: list[int]) -> None:
    labels = np.array([0] * 3 + [1] * 10 + [2] * 100 + [3], np.uint8)
    rows = rows_to_test(labels, share)
    assert counts(labels, rows) == taken
    assert rows.dtype == np.int64
    assert np.all(np.diff(rows) > 0)


def test_rows_to_test_are_known_answers_that_know_no_seed() -> None:
    # Changes only with the keyed bijection, and so with every table that has no test split of its own.
    labels = np.arange(30, dtype=np.uint16) % 3
    assert rows_to_test(labels).tolist() == [0, 1, 5, 13, 24, 29]
    order = permutation(30, seed=0, purpose=Purpose.TEST).tolist()
    firsts = [[row for row in order if row % 3 == label][:5] for label in range(3)]
    assert rows_to_test(labels, 0.5).tolist() == sorted(row for rows in firsts for row in rows)


def test_no_share_is_no_test_split() -> None:
    assert rows_to_test(LABELS, 0).tolist() == []
    assert rows_to_test([], 0.2).tolist() == []
    for share in (-0.1, 1, float("nan")):
        with pytest.raises(UsageError, match="test share is out of range"):
            rows_to_test(LABELS, share)
