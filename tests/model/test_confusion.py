"""Confusion, counted pair by pair, against a matrix counted cell by cell."""

import numpy as np
import pytest

from millrace.errors import UsageError
from millrace.model import Confusion


def test_the_pairs_are_those_of_a_matrix_counted_by_hand() -> None:
    labels, answers = np.array([0, 0, 2, 2, 2, 1], np.uint8), np.array([0, 2, 2, 1, 1, 1])
    found = Confusion.of(labels, answers, 4)
    assert found.cells.tolist() == [[0, 0, 1], [0, 2, 1], [1, 1, 1], [2, 1, 2], [2, 2, 1]]
    assert found.matrix().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [0, 2, 1, 0], [0, 0, 0, 0]]
    assert (found.count, found.correct) == (6, 3)
    assert found.images.tolist() == [2, 1, 3, 0]
    assert found.right.tolist() == [1, 1, 1, 0]
    assert found.answered.tolist() == [1, 3, 2, 0]
    assert found.wrong.tolist() == [[2, 1, 2], [0, 2, 1]]


def test_parts_join_in_any_order() -> None:
    rng = np.random.default_rng(5)
    labels, answers = rng.integers(0, 300, 2000).astype(np.uint16), rng.integers(0, 300, 2000)
    parts = [Confusion.of(labels[k::3], answers[k::3], 300) for k in range(3)]
    whole = Confusion.of(labels, answers, 300)
    for order in (parts, parts[::-1]):
        assert np.array_equal(Confusion.joined(order).cells, whole.cells)
    counted = np.zeros((300, 300), np.int64)
    np.add.at(counted, (labels, answers), 1)
    assert np.array_equal(whole.matrix(), counted)
    assert Confusion.joined([Confusion.of(labels[:0], answers[:0], 300)]).count == 0


def test_the_last_of_65536_classes_counts_and_their_matrix_is_refused() -> None:
    labels, answers = np.array([65_535, 65_535, 0], np.uint16), np.array([65_535, 0, 65_535])
    found = Confusion.of(labels, answers, 65_536)
    assert found.cells.tolist() == [[0, 65_535, 1], [65_535, 0, 1], [65_535, 65_535, 1]]
    assert (found.correct, found.images[65_535]) == (1, 2)
    with pytest.raises(UsageError, match="confusion matrix of so many"):
        found.matrix()
