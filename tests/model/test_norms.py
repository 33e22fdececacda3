"""Norms, limits and averages against numbers computed otherwise."""

import math

import numpy as np
import pytest

from millrace.model.layout import dense
from millrace.model.norms import CHUNK, blend, gradient_norm, limit_units


def test_the_norm_of_the_averaged_gradient() -> None:
    left, right = np.array([3, 0, 1], np.float32), np.array([3, 8, -1], np.float32)
    assert gradient_norm(left, right, 2.0) == 5.0
    assert gradient_norm(left, None, 1.0) == pytest.approx(math.sqrt(10), rel=1e-15)


@pytest.mark.parametrize("size", [1, 3, 4, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_chunks_of_any_size(size: int) -> None:
    gradient = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    expected = math.sqrt(math.fsum(float(g) ** 2 for g in gradient / np.float32(3)))
    assert gradient_norm(gradient, None, 3.0) == pytest.approx(expected, rel=1e-12)


def test_the_sum_is_that_of_chunks_in_order() -> None:
    gradient = np.random.default_rng(0).standard_normal(2 * CHUNK + 100).astype(np.float32)
    parts = [gradient_norm(gradient[begin : begin + CHUNK], None, 1.0) ** 2 for begin in range(0, len(gradient), CHUNK)]
    assert gradient_norm(gradient, None, 1.0) == pytest.approx(math.sqrt(sum(parts)), rel=1e-15)


def test_not_a_number_shows() -> None:
    assert math.isnan(gradient_norm(np.array([1, np.nan], np.float32), None, 1.0))
    assert math.isinf(gradient_norm(np.array([1, np.inf], np.float32), None, 1.0))


def test_units_with_long_weights_are_shortened_and_no_others() -> None:
    layout = dense((2, 3, 1))
    weights = np.array([3, 0.5, 0, 4, 0.5, 2, 9, 9, 9, 6, 0, 8, 7], np.float32)
    limit_units(weights, layout, 2.5)
    # Columns (3, 4) → (1.5, 2); (½, ½) and (0, 2) stay; (6, 0, 8) → (1.5, 0, 2); biases stay.
    assert weights.tolist() == [1.5, 0.5, 0, 2, 0.5, 2, 9, 9, 9, 1.5, 0, 2, 7]
    before = weights.copy()
    limit_units(weights, layout, 2.5)
    assert np.array_equal(weights, before)


def test_the_average_begins_with_short_memory_and_ends_with_the_decay() -> None:
    average, weights = np.zeros(2, np.float32), np.array([1, -10], np.float32)
    blend(average, weights, 0.99, 1)  # decay 1/10
    assert average == pytest.approx([0.9, -9.0], rel=1e-6)
    blend(average, 0 * weights, 0.99, 11)  # decay 11/20
    assert average == pytest.approx([0.495, -4.95], rel=1e-6)
    blend(average, 0 * weights, 0.5, 10**6)
    assert average == pytest.approx([0.2475, -2.475], rel=1e-6)
