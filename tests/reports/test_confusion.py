"""Confusion as text, on a matrix small enough to count by hand."""

import numpy as np

from millrace.model import Confusion
from millrace.reports.confusion import NONE, ClassRow, Mistake, matrix, mistakes, per_class

CONFUSION = Confusion(3, np.array([[0, 0, 8], [0, 2, 2], [1, 0, 1], [1, 1, 9]]))


def test_error_per_class_counts_rows_and_survives_an_empty_class() -> None:
    assert per_class(CONFUSION, ("a", "b", "c")) == [
        ClassRow("a", 10, 2, 0.2),
        ClassRow("b", 10, 1, 0.1),
        ClassRow("c", 0, 0, 0.0),
    ]


def test_mistakes_come_most_frequent_first() -> None:
    assert mistakes(CONFUSION, ("a", "b", "c")) == [Mistake("a", "c", 2), Mistake("b", "a", 1)]
    assert mistakes(CONFUSION, ("a", "b", "c"), limit=1) == [Mistake("a", "c", 2)]
    assert mistakes(Confusion(3, np.array([[0, 0, 1], [2, 2, 1]])), ("a", "b", "c")) == []


def test_the_matrix_is_headed_by_short_names_or_numbers() -> None:
    heads, rows = matrix(CONFUSION, ("a", "b", "c"))
    assert heads[1:] == ["a", "b", "c"]
    assert rows == [["a", "8", NONE, "2"], ["b", "1", "9", NONE], ["c", NONE, NONE, NONE]]
    heads, rows = matrix(CONFUSION, ("airplane", "b", "c"))
    assert heads[1:] == ["0", "1", "2"]
    assert [row[0] for row in rows] == ["airplane 0", "b 1", "c 2"]
