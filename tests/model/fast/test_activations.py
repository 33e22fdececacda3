"""Fused activations against the plain formulas."""

import numpy as np

from millrace.model.fast.activations import ACTIVATIONS
from millrace.model.layout import Floats

RELU = ACTIVATIONS["relu"]


def _floats(rows: int, units: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((rows, units)).astype(np.float32)


def test_relu_forward_adds_the_bias_and_clips() -> None:
    z, bias = _floats(7, 19, 1), _floats(1, 19, 2)[0]
    expected = np.maximum(z + bias, 0)
    RELU.forward(z, bias, z)
    assert np.array_equal(z, expected)


def test_relu_backward_masks_and_sums_rows_in_order() -> None:
    deltas, outputs = _floats(7, 19, 3), np.maximum(_floats(7, 19, 4), 0)
    masked = np.where(outputs > 0, deltas, np.float32(0))
    total = np.zeros(19, np.float32)
    for row in masked:
        total += row
    bias = np.full(19, np.nan, np.float32)
    RELU.backward(deltas, outputs, outputs, bias)
    assert np.array_equal(deltas, masked)
    assert np.array_equal(bias, total)


def test_relu_lets_not_a_number_through() -> None:
    z = np.array([[np.nan, 1.0]], np.float32)
    RELU.forward(z, np.zeros(2, np.float32), z)
    assert np.isnan(z[0, 0])
    assert z[0, 1] == 1
