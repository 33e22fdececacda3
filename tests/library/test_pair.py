"""`millrace.stream((images, labels))`: arrays of every dtype and shape, with the same bits as uint8 (n, C, H, W)."""

from typing import Any

import numpy as np
import pytest

import millrace
from millrace import datasets
from millrace.errors import UsageError
from millrace.pipeline import images_of, labels_of, samples_of

IMAGES = (np.arange(12 * 3 * 9 * 8) * 37 % 251).astype(np.uint8).reshape(12, 3, 9, 8)
LABELS = np.arange(12) % 4


def last(images: Any) -> Any:
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("images", "labels", "more"),
    [
        (IMAGES, LABELS.astype(np.uint16), {}),
        (last(IMAGES), LABELS[:, None], {}),
        (IMAGES / np.float32(255), np.eye(4)[LABELS], {"range": "0..1"}),
        (last(IMAGES) * np.uint16(257), LABELS.astype(np.float64), {"range": "0..65535"}),
        (IMAGES.tolist(), (LABELS + 1).tolist(), {"range": "0..255", "labels_from": 1}),
    ],
)
def test_every_way_gives_the_same_bits(images: Any, labels: Any, more: dict[str, Any]) -> None:
    options: dict[str, Any] = {"batch": 5, "policy": "photos", "seed": 2}
    expected = millrace.stream((IMAGES, LABELS.astype(np.uint8)), **options)[3]
    assert millrace.stream((images, labels), **options, **more)[3].equals(expected)


def test_the_pixels_and_labels_are_those_given() -> None:
    batch = millrace.stream((last(IMAGES), np.eye(6)[LABELS]), batch=12)[0]
    np.testing.assert_array_equal(images_of(batch), IMAGES[samples_of(batch)])
    np.testing.assert_array_equal(labels_of(batch), LABELS[samples_of(batch)])
    assert len(millrace.stream((IMAGES, np.eye(6)[LABELS]), batch=12).classes) == 6


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 1, 5, 4), (1, 5, 4)),  # too small to tell: channels first, as ever
        ((4, 2, 1, 1), (2, 1, 1)),
        ((4, 5, 4, 1), (1, 5, 4)),
        ((4, 8, 8, 8), (8, 8, 8)),
        ((4, 12, 9, 9), (12, 9, 9)),  # more channels than files may have
        ((4, 28, 28, 1), (1, 28, 28)),
        ((4, 28, 28), (1, 28, 28)),
    ],
)
def test_where_the_shape_leaves_it_open_channels_come_first(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert millrace.stream((np.zeros(shape, np.uint8), np.arange(4)), batch=2).shape == expected


def test_an_open_dataset_is_not_read_again() -> None:
    data = datasets.load(datasets.find("points"))
    with pytest.raises(UsageError, match="ways to choose"):
        millrace.stream(data, batch=2, range="0..1")
