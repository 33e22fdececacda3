"""Mixup against its definition; in a network's gradient it is checked in test_architecture.py."""

import numpy as np
import pytest

from millrace.counters import Purpose, words
from millrace.model.fast.mixup import Mixed, mix
from millrace.model.fast.noise import RowKeys
from millrace.model.layout import Floats

DRAWS = RowKeys(3, 7, np.array([4, 4_000_000_000, 0, 9, 12], np.int64))
X = np.array([[0, 1], [8, -2], [3, 3], [-5, 0.5], [100, 7]], np.float32)
Y = np.array([1, 0, 3, 2, 3], np.uint8)


def _mixed(probability: float, draws: RowKeys = DRAWS, rows: int = 5) -> tuple[Floats, Mixed]:
    out, mixed = np.full((rows, 2), np.nan, np.float32), Mixed.empty(rows)
    mix(X[:rows], Y[:rows], probability, draws, mixed, out)
    return out, mixed


def test_each_row_is_its_share_and_the_rest_of_the_next() -> None:
    out, mixed = _mixed(1.0)
    drawn = words(3, Purpose.MIXUP, DRAWS.samples, 7)
    assert mixed.shares == pytest.approx(1 - drawn[:, 1] / 2**33, rel=1e-6)
    assert mixed.others.tolist() == [0, 3, 2, 3, 1]
    share = mixed.shares[:, None].astype(np.float64)
    assert out == pytest.approx(X * share + np.roll(X, -1, axis=0) * (1 - share), rel=1e-6, abs=1e-5)


def test_the_probability_is_how_many_rows_are_blended_and_their_shares_are_even() -> None:
    draws, n = RowKeys(1, 0, np.arange(20_000)), 20_000
    x, y = np.zeros((n, 1), np.float32), np.zeros(n, np.uint8)
    mixed = Mixed.empty(n)
    mix(x, y, 0.3, draws, mixed, np.empty_like(x))
    blended = mixed.shares[mixed.shares < 1]
    assert len(blended) / n == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / n) ** 0.5)
    assert blended.min() >= 0.5
    quarters = np.histogram(blended, bins=4, range=(0.5, 1))[0] / len(blended)
    assert quarters == pytest.approx([0.25] * 4, abs=0.03)


def test_rows_that_are_not_drawn_keep_their_bits() -> None:
    drawn = words(3, Purpose.MIXUP, DRAWS.samples, 7)[:, 0] / 2.0**32
    between = float(np.median(drawn))
    out, mixed = _mixed(between)
    assert (mixed.shares < 1).tolist() == (drawn < between).tolist()
    assert 0 < np.sum(mixed.shares < 1) < 5
    assert np.array_equal(out[mixed.shares == 1], X[mixed.shares == 1])


def test_a_row_on_its_own_is_left_as_it_is() -> None:
    out, mixed = _mixed(1.0, RowKeys(3, 7, DRAWS.samples[:1]), rows=1)
    assert np.array_equal(out, X[:1])
    assert mixed.shares.tolist() == [1.0]


def test_other_epochs_and_seeds_blend_anew() -> None:
    shares = {
        tuple(_mixed(1.0, draws)[1].shares.tolist())
        for draws in (DRAWS, RowKeys(4, 7, DRAWS.samples), RowKeys(3, 8, DRAWS.samples))
    }
    assert len(shares) == 3
