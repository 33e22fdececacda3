"""Softmax cross-entropy against hand numbers and the definition."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from millrace.model.fast.losses import softmax_cross_entropy
from millrace.model.fast.mixup import UNMIXED, Mixed

Result = tuple[float, int, npt.NDArray[np.float32], npt.NDArray[np.float32]]


def _loss(
    logits: npt.ArrayLike,
    labels: list[int],
    bias: npt.ArrayLike | None = None,
    smoothing: float = 0.0,
    mixed: Mixed = UNMIXED,
) -> Result:
    z = np.array(logits, np.float32)
    classes = z.shape[1]
    b = np.zeros(classes, np.float32) if bias is None else np.array(bias, np.float32)
    gradient, measures = np.full(classes, np.nan, np.float32), np.empty(2)
    y = np.array(labels, np.uint16)
    softmax_cross_entropy(z, b, y, True, gradient, np.empty(classes), measures, smoothing, *mixed)
    return float(measures[0]), int(measures[1]), z, gradient


def test_equal_logits_cost_the_logarithm_of_the_classes() -> None:
    loss, correct, delta, gradient = _loss([[0, 0, 0, 0], [5, 5, 5, 5]], [0, 2])
    assert loss == pytest.approx(2 * math.log(4), rel=1e-15)
    assert correct == 1  # of equal logits, the first counts as the answer
    assert delta.tolist() == [[-0.75, 0.25, 0.25, 0.25], [0.25, 0.25, -0.75, 0.25]]
    assert gradient.tolist() == [-0.5, 0.5, -0.5, 0.5]


def test_values_by_hand() -> None:
    # softmax of (log 1, log 2, log 5) is (1, 2, 5) / 8
    loss, correct, delta, _ = _loss([np.log([1, 2, 5])], [1])
    assert loss == pytest.approx(math.log(4), abs=1e-6)
    assert correct == 0
    assert delta[0] == pytest.approx([0.125, -0.75, 0.625], abs=1e-6)


def test_the_bias_is_added() -> None:
    assert _loss([[1, 2, 3]], [2], [3, 0, -1])[0] == _loss([[4, 2, 2]], [2])[0]


def test_huge_logits_neither_overflow_nor_lose_small_deltas() -> None:
    loss, _, delta, _ = _loss([[1e30, 0.0], [0.0, -1e30]], [1, 0])
    assert loss == pytest.approx(1e30)
    assert np.isfinite(delta).all()
    loss, _, delta, _ = _loss([[60.0, 0.0]], [1])
    assert loss == 60.0
    small = _loss([[50.0, 0.0]], [0])
    assert small[2][0, 1] == pytest.approx(math.exp(-50), rel=1e-6)


def test_not_a_number_comes_through() -> None:
    assert math.isnan(_loss([[np.nan, 1.0]], [0])[0])


def test_without_backward_the_gradient_is_untouched() -> None:
    z = np.array([[1.0, 2.0]], np.float32)
    gradient, measures = np.full(2, 7, np.float32), np.empty(2)
    args = np.zeros(2, np.float32), np.array([1], np.uint16)
    softmax_cross_entropy(z, *args, False, gradient, np.empty(2), measures, 0.0, *UNMIXED)
    assert gradient.tolist() == [7, 7]
    assert z.tolist() == [[1.0, 2.0]]
    assert measures.tolist() == [pytest.approx(math.log(1 + math.exp(-1))), 1.0]


def test_label_smoothing_by_hand() -> None:
    # softmax of (log 1, log 2, log 5) is (1, 2, 5) / 8; the target of label 1 with ε = 0.3 is (0.1, 0.8, 0.1)
    loss, correct, delta, gradient = _loss([np.log([1, 2, 5])], [1], smoothing=0.3)
    assert loss == pytest.approx(-(0.1 * math.log(1 / 8) + 0.8 * math.log(1 / 4) + 0.1 * math.log(5 / 8)), abs=1e-6)
    assert correct == 0
    assert delta[0] == pytest.approx([0.125 - 0.1, 0.25 - 0.8, 0.625 - 0.1], abs=1e-6)
    assert np.array_equal(gradient, delta[0])


def test_smoothing_of_zero_changes_no_bit() -> None:
    logits = np.random.default_rng(0).standard_normal((5, 4))
    z = logits.astype(np.float64)
    expected = sum(math.log(np.exp(row - row.max()).sum()) - (row[1] - row.max()) for row in z.astype(np.float32))
    assert _loss(logits, [1] * 5)[0] == pytest.approx(expected, rel=1e-6)


def test_blended_labels_by_hand() -> None:
    # Three quarters label 1, one quarter label 2: with ε = 0.2 the target is (0.2/3, 0.6 + 0.2/3, 0.2 + 0.2/3).
    mixed = Mixed(np.array([2], np.uint16), np.array([0.75], np.float32))
    loss, correct, delta, gradient = _loss([np.log([1, 5, 2])], [1], smoothing=0.2, mixed=mixed)
    target = [0.2 / 3, 0.6 + 0.2 / 3, 0.2 + 0.2 / 3]
    assert loss == pytest.approx(-sum(t * math.log(p / 8) for t, p in zip(target, [1, 5, 2], strict=True)), abs=1e-6)
    assert correct == 1  # the label of the larger share
    assert delta[0] == pytest.approx([1 / 8 - target[0], 5 / 8 - target[1], 2 / 8 - target[2]], abs=1e-6)
    assert np.array_equal(gradient, delta[0])


def test_rows_that_are_all_their_own_change_no_bit() -> None:
    logits = np.random.default_rng(1).standard_normal((5, 4))
    mixed = Mixed(np.array([3, 2, 1, 0, 0], np.uint16), np.ones(5, np.float32))
    for smoothing in (0.0, 0.1):
        plain, blended = (_loss(logits, [0, 1, 2, 3, 1], None, smoothing, m) for m in (UNMIXED, mixed))
        assert plain[:2] == blended[:2]
        assert all(np.array_equal(a, b) for a, b in zip(plain[2:], blended[2:], strict=True))


def test_a_row_blended_with_its_own_class_is_a_whole_one() -> None:
    mixed = Mixed(np.array([2], np.uint16), np.array([0.625], np.float32))
    loss, _, delta, _ = _loss([np.log([1, 5, 2])], [2], mixed=mixed)
    assert loss == pytest.approx(math.log(4), abs=1e-6)
    assert delta[0] == pytest.approx([1 / 8, 5 / 8, 2 / 8 - 1], abs=1e-6)


def test_the_last_of_65536_classes() -> None:
    logits = np.zeros((2, 65_536))
    logits[1, 65_535] = 50.0
    mixed = Mixed(np.array([65_534, 0], np.uint16), np.array([0.75, 1.0], np.float32))
    loss, correct, delta, _ = _loss(logits, [65_535, 65_535], mixed=mixed)
    assert loss == pytest.approx(16 * math.log(2), rel=1e-12)
    assert correct == 1  # of the equal ones the first counts as the answer
    share = 2.0**-16
    assert delta[0, 65_533:] == pytest.approx([share, share - 0.25, share - 0.75], rel=1e-6)
    assert delta[1, 65_535] == pytest.approx(0, abs=1e-10)
