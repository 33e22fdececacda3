"""Float32 functions against exact ones."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.special

from millrace.compiled import F32, In, Out, kernel
from millrace.model.fast import curves


@cache
def compiled(function: Any) -> Any:
    """The kernel, made by the first test that needs it and not where tests are collected."""
    return kernel(function)


def _exp_below(x: In[F32], out: Out[F32]) -> None:
    for at in range(x.shape[0]):
        out[at] = curves.exp_below(x[at])


def _tanh(x: In[F32], out: Out[F32]) -> None:
    for at in range(x.shape[0]):
        out[at] = curves.tanh(x[at])


def _erf(x: In[F32], out: Out[F32]) -> None:
    for at in range(x.shape[0]):
        out[at] = curves.erf(x[at])


SIGNED = np.concatenate([np.linspace(-12, 12, 200_001), [0.0, -0.0, 1e-30, 1e-4, -1e-7]]).astype(np.float32)
CASES = [
    (_exp_below, np.exp, -np.abs(np.linspace(0, 86, 200_001)).astype(np.float32)),
    (_tanh, np.tanh, SIGNED),
    (_erf, scipy.special.erf, SIGNED),
]


@pytest.mark.parametrize(("function", "exact", "x"), CASES)
def test_relative_errors_stay_below_a_millionth(function: Any, exact: Any, x: Any) -> None:
    out = np.empty_like(x)
    compiled(function)(x, out)
    expected = exact(x.astype(np.float64))
    assert np.abs(out - expected).max() < 5e-7
    assert np.all(np.abs(out - expected) <= 1e-6 * np.abs(expected))


def test_limits_and_not_a_number() -> None:
    x = np.array([-np.inf, -1e30, 1e30, np.inf, np.nan], np.float32)
    out = np.empty_like(x)
    for function in (_tanh, _erf):
        compiled(function)(x, out)
        assert out[:4] == pytest.approx([-1, -1, 1, 1], abs=2e-7)
        assert np.isnan(out[4])
    compiled(_exp_below)(np.array([0, -88, -1e30, -np.inf, np.nan], np.float32), out)
    assert out[0] == 1
    assert (out[1:4] < 1e-37).all()
    assert np.isnan(out[4])
