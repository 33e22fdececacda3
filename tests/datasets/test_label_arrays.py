from typing import Any

import numpy as np
import pytest

from millrace.datasets.label_arrays import as_labels
from millrace.errors import FormatError


@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", "<i4", ">u8", "i8", "f2", ">f4", "f8"])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_any_dtype_that_holds_whole_numbers(dtype: str, shape: tuple[int, ...]) -> None:
    got = as_labels(np.array([2, 0, 1, 2]).astype(dtype).reshape(shape), "y")
    assert got.values.tolist() == [2, 0, 1, 2]
    assert got.values.dtype == np.int64
    assert got.classes == 3


def test_booleans_are_two_classes() -> None:
    assert as_labels(np.array([True, False]), "y").values.tolist() == [1, 0]


@pytest.mark.parametrize("dtype", ["u1", "?", "f4", "i8"])
def test_one_hot_labels_say_how_many_classes_there_are(dtype: str) -> None:
    got = as_labels(np.eye(5, dtype=dtype)[[3, 0, 1]], "y")
    assert (got.values.tolist(), got.classes) == ([3, 0, 1], 5)
    got = as_labels(np.eye(5, dtype=dtype)[[3, 1]], "y", labels_from=1)
    assert (got.values.tolist(), got.classes) == ([2, 0], 4)


def test_labels_that_count_from_one_and_from_below_zero() -> None:
    assert as_labels(np.array([1, 3, 2]), "y", labels_from=1).values.tolist() == [0, 2, 1]
    got = as_labels(np.array([-1, 1]), "y", labels_from=-1)  # scikit-learn's way of two classes, with a gap
    assert (got.values.tolist(), got.classes) == ([0, 2], 3)


@pytest.mark.parametrize(
    ("array", "start", "match"),
    [
        (np.array([1, -1]), 0, "impossible label"),
        (np.array([0, 1]), 1, "impossible label[\\s\\S]*`labels_from=0`"),
        (np.array([0, 1 << 40]), 0, "impossible label"),
        (np.array([0, 1 << 63], np.uint64), 0, "impossible label"),
        (np.array([0.5, 1.0, np.nan]), 0, r"not whole[\s\S]*0\.5 in row 0, 2 such"),
        (np.array([1.0, np.inf]), 0, "not whole"),
        (np.array([1e300]), 0, "not whole"),
        (np.array(["cat", "dog"]), 0, r"not an array of labels[\s\S]*classes\.txt"),
        (np.array([1j]), 0, "not an array of labels"),
        (np.zeros(0, int), 0, "not a list of labels"),
        (np.zeros((3, 0), int), 0, "not a list of labels"),
        (np.zeros((3, 2, 2), int), 0, "not a list of labels"),
        (np.array(3), 0, "not a list of labels"),
        (np.array([[0, 1], [1, 1]]), 0, r"not one-hot[\s\S]*\[1 1\] in row 1, 1 such"),
        (np.array([[0, 0], [1, 0]]), 0, "not one-hot"),
        (np.array([[0.5, 0.5]]), 0, "not one-hot"),
        (np.array([[0, 2]]), 0, "not one-hot"),
        (np.array([[np.nan, 1]]), 0, "not one-hot"),
    ],
)
def test_what_are_no_labels_is_refused(array: Any, start: int, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        as_labels(array, "y", start)


def test_labels_are_as_narrow_as_fits() -> None:
    labels = as_labels(np.array([0, 255]), "y")
    assert labels.narrowed(256).dtype == np.uint8
    assert labels.narrowed(257).dtype == np.uint16
