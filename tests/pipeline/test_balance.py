"""Balanced sampling, by exact counting and by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.counters import Purpose, permute
from millrace.pipeline import Stream, images_of, labels_of, parameters_of, samples_of
from millrace.pipeline.balance import Balance, BalancedRows, class_counts
from millrace.pipeline.order import Order
from millrace.pipeline.policy import Policy

LABELS = np.array([7] * 1 + [2] * 9 + [5] * 40 + [0] * 3, np.uint8)[np.arange(53) * 31 % 53]
N = len(LABELS)


def order(labels: np.ndarray = LABELS, seed: int = 4, **how: Any) -> Order:
    chosen = {"batch": min(10, len(labels)), "slot": None, "seed": seed, **how}
    return Order(len(labels), **chosen, balance=BalancedRows(labels, seed))


def spread(counts: np.ndarray) -> int:
    return int(counts.max() - counts.min())


some_labels = st.lists(st.integers(0, 5), min_size=1, max_size=70).map(lambda x: np.array(x, np.uint16))


@settings(deadline=None, database=None, max_examples=40)
@given(some_labels, st.integers(0, 2**32 - 1))
def test_classes_and_their_rows_come_equally_often(labels: np.ndarray, seed: int) -> None:
    found, present = order(labels, seed), np.unique(labels)
    total = np.zeros(len(labels), np.int64)
    for epoch in range(6):
        visited = found.visited(epoch, 0, len(labels))
        times = np.bincount(labels[visited], minlength=6)[present]
        assert times.sum() == len(labels)
        assert spread(times) <= 1
        total += np.bincount(visited, minlength=len(labels))
        for label in present:
            assert spread(total[labels == label]) <= 1
    assert spread(np.bincount(labels, weights=total, minlength=6)[present]) <= 1


def test_every_showing_of_a_row_has_a_number_of_its_own() -> None:
    found, seen = order(), dict[int, list[int]]()
    for epoch in range(5):
        before = found.before(epoch, 0, N)
        assert isinstance(before, np.ndarray)
        for sample, number in zip(found.visited(epoch, 0, N).tolist(), before.tolist(), strict=True):
            seen.setdefault(sample, []).append(number)
    assert {sample: sorted(numbers) for sample, numbers in seen.items()} == {
        sample: list(range(len(numbers))) for sample, numbers in seen.items()
    }
    alone = int(np.flatnonzero(LABELS == 7)[0])
    assert len(seen[alone]) in (66, 67)  # a quarter of 5 epochs of 53


def test_by_hand() -> None:
    # Rows 0, 2, 4 are of class 3 and rows 1, 3 of class 8: K = 2, m = (3, 2); an epoch has five turns.
    balance = BalancedRows(np.array([3, 8, 3, 8, 3], np.uint8), 9)
    turns = np.arange(12)
    assert balance.turns(turns).classes.tolist() == [0, 1] * 6
    assert balance.turns(turns).before.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 1, 2]
    firsts = permute([0, 1, 2], 3, seed=9, purpose=Purpose.SAMPLING, tweak=0)  # class 0 in its first round
    assert balance.shown(np.array([0, 2, 4]))[0].tolist() == (2 * firsts).tolist()
    assert sorted(balance.shown(np.array([1, 3]))[0].tolist()) == [1, 3]
    assert sorted(balance.shown(np.array([6, 8, 10]))[0].tolist()) == [0, 2, 4]
    assert Balance(np.array([3, 2]), 9).before(turns).tolist() == balance.turns(turns).before.tolist()


def test_known_answers() -> None:
    # Changes only with the formula, and so with every run that samples so.
    assert order().visited(0, 0, 8).tolist() == KNOWN[0]
    assert order().visited(3, 40, 48).tolist() == KNOWN[1]


KNOWN: tuple[list[int], list[int]] = ([48, 41, 4, 43, 0, 19, 6, 31], [17, 0, 24, 0, 17, 12, 17, 29])


def test_any_part_of_an_epoch_is_computed_alone() -> None:
    whole, numbers = order().visited(2, 0, N), order().before(2, 0, N)
    assert isinstance(numbers, np.ndarray)
    for first, last in ((0, 1), (17, 30), (52, 53), (9, 9)):
        assert order().visited(2, first, last).tolist() == whole[first:last].tolist()
        part = order().before(2, first, last)
        assert isinstance(part, np.ndarray)
        assert part.tolist() == numbers[first:last].tolist()
    assert order(seed=5).visited(2, 0, N).tolist() != whole.tolist()
    assert sorted(order().visited(1, 0, N).tolist()) != sorted(whole.tolist())


def test_what_is_shown_and_how_often_before_come_from_one_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    found, calls = order(), list[int]()
    places, before = found.visited(2, 3, 50), found.before(2, 3, 50)

    def counted(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        return permute(*arguments, **named)

    monkeypatch.setattr("millrace.pipeline.order.permute", counted)
    both = found.shown(2, 3, 50)
    assert len(calls) == 1
    assert np.array_equal(both[0], places)
    assert np.array_equal(both[1], before)


def test_with_one_class_every_row_comes_once_an_epoch_and_was_shown_once_in_each_before() -> None:
    found = order(np.full(40, 3, np.uint8))
    for epoch in (0, 1, 7):
        assert sorted(found.visited(epoch, 0, 40).tolist()) == list(range(40))
        assert set(np.atleast_1d(found.before(epoch, 0, 40)).tolist()) == {epoch}


def test_65536_classes_and_far_epochs_cost_no_more() -> None:
    labels = np.arange(1 << 17, dtype=np.int64) % (1 << 16)
    found = Order(1 << 17, batch=512, slot=128, seed=1, balance=BalancedRows(labels.astype(np.uint16), 1))
    assert class_counts(labels.astype(np.uint16)).tolist() == [2] * (1 << 16)
    late = found.visited(1 << 30, 100, 228)
    assert len(set(labels[late].tolist())) > 120
    assert spread(np.bincount(labels[found.visited(3, 0, 1 << 17)])) == 0


def stream(batch: int = 10) -> Stream:
    images = (np.arange(N * 30) * 7 % 251).astype(np.uint8).reshape(N, 1, 6, 5)
    policy = Policy(rotate=20, translate=0.1, erase=0.5, elastic=0.1)
    return Stream(images, LABELS, policy=policy, seed=4, batch=batch, balanced=True)


def test_a_row_that_comes_again_is_augmented_anew_whatever_the_batches() -> None:
    whole = stream(N).batch(0, 0), stream(N).batch(0, 1)
    samples = np.concatenate([samples_of(part) for part in whole])
    drawn = np.concatenate([parameters_of(part) for part in whole])
    images = np.concatenate([images_of(part) for part in whole])
    alone = int(np.flatnonzero(LABELS == 7)[0])
    again = np.flatnonzero(samples == alone)
    assert len(again) > 10
    assert len(np.unique(drawn[again], axis=0)) == len(again)
    assert len(np.unique(images[again].reshape(len(again), -1), axis=0)) == len(again)
    assert np.concatenate([labels_of(part) for part in whole]).tolist() == LABELS[samples].tolist()
    parts = [stream().batch(step, slot) for step in range(6) for slot in range(stream().order.slots(step))]
    assert np.concatenate([samples_of(part) for part in parts]).tolist() == samples.tolist()
    assert np.array_equal(np.concatenate([images_of(part) for part in parts]), images)
    # The first showing of a row has the draws of a uniform epoch 0.
    first = np.flatnonzero(np.atleast_1d(stream(N).order.before(0, 0, N)) == 0)
    plain = Stream(stream().images, LABELS, policy=stream().policy, seed=4, batch=N)
    at = {int(s): row for s, row in zip(plain.rows(0, 0, N).samples, plain.rows(0, 0, N).pixels, strict=True)}
    assert all(np.array_equal(images[row], at[int(samples[row])]) for row in first)


@pytest.mark.parametrize("epoch", [0, 3])
def test_uniform_order_says_the_epoch(epoch: int) -> None:
    assert Order(10, batch=4, slot=3, seed=0).before(epoch, 2, 5) == epoch
