"""Labels: as narrow as the classes allow, and never narrowed to another class."""

import numpy as np
import pytest

from millrace.datasets import MAX_CLASSES
from millrace.errors import FormatError, UsageError
from millrace.labels import MOST, label_type, narrowed


@pytest.mark.parametrize(
    ("classes", "kind"), [(2, "uint8"), (256, "uint8"), (257, "uint16"), (300, "uint16"), (1 << 16, "uint16")]
)
def test_the_type_follows_the_number_of_classes(classes: int, kind: str) -> None:
    assert label_type(classes) == kind
    last = narrowed(np.array([0, classes - 1]), classes, "labels")
    assert (last.dtype, last.tolist()) == (np.dtype(kind), [0, classes - 1])


def test_more_classes_than_labels_can_tell_apart_are_refused() -> None:
    assert MAX_CLASSES == MOST == 65_536
    with pytest.raises(UsageError, match="too many classes"):
        label_type(65_537)


@pytest.mark.parametrize(
    ("values", "classes", "got"),
    [
        (np.array([0, 3, 300]), 256, "300 in row 2"),
        (np.array([0, 256], np.uint16), 200, "256 in row 1"),  # as uint8 it would be 0
        (np.array([5, -1]), 10, "-1 in row 1"),
        (np.array([7], np.uint8), 7, "7 in row 0"),
    ],
)
def test_a_number_that_is_no_class_is_refused_before_it_is_narrowed(values: np.ndarray, classes: int, got: str) -> None:
    with pytest.raises(FormatError, match="it: a label has no class") as refused:
        narrowed(values, classes, "it")
    assert refused.value.got == got


def test_labels_that_fit_already_are_not_copied() -> None:
    labels = np.array([1, 2], np.uint8)
    assert narrowed(labels, 3, "it") is labels
    assert narrowed(labels[:0], 3, "it").shape == (0,)
