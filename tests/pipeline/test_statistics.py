"""Mean and deviation of pixels against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from millrace.pipeline.statistics import pixel_statistics


@settings(max_examples=50)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))),
    st.data(),
)
def test_equals_numpy_over_the_chosen_rows(images: np.ndarray, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(images) - 1), min_size=1, unique=True))
    chosen = images[rows] / 255
    means, deviations = pixel_statistics(images, np.array(rows, np.int64))
    expected = chosen.std(axis=(0, 2, 3))
    assert means == pytest.approx(chosen.mean(axis=(0, 2, 3)), abs=1e-12)
    flat = images[rows].min(axis=(0, 2, 3)) == images[rows].max(axis=(0, 2, 3))
    assert deviations == pytest.approx(np.where(flat, 1.0, expected), abs=1e-9)


def test_the_order_of_rows_changes_no_bit() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 5, 4), np.uint8)
    rows = np.arange(50, dtype=np.int64)
    assert pixel_statistics(images, rows) == pixel_statistics(images, rows[::-1].copy())


def test_by_hand() -> None:
    images = np.array([0, 255, 255, 0], np.uint8).reshape(2, 1, 1, 2)
    assert pixel_statistics(images, np.arange(2)) == ((0.5,), (0.5,))
    assert pixel_statistics(images * 0, np.arange(2)) == ((0.0,), (1.0,))
