"""sin, cos, exp, log against exact values (decimal arithmetic), and kernels against NumPy, bit for bit."""

from collections.abc import Callable
from decimal import Decimal, getcontext
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pytest

from millrace import compiled, counters, elementary

getcontext().prec = 60
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803")

SPECIAL = np.array(
    [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        5e-324,
        1e-310,
        2.0**-1022,
        1.0,
        -1.0,
        np.pi / 2,
        -np.pi,
        np.pi / 4,
        0.5,
        2.0,
        2.0**20,
        -(2.0**20),
        2.0**21,
        1e300,
        -1e300,
        709.78,
        709.79,
        -745.13,
        -745.14,
        -708.5,
    ]
)


def _sin(x: Decimal) -> Decimal:
    x -= (x / (2 * PI)).to_integral_value() * 2 * PI
    total = term = x
    for k in range(2, 80, 2):
        term = -term * x * x / (k * (k + 1))
        total += term
    return total


EXACT: dict[str, Callable[[Decimal], Decimal]] = {
    "sin": _sin,
    "cos": lambda x: _sin(x + PI / 2),
    "exp": Decimal.exp,
    "log": Decimal.ln,
}


@numba.njit(error_model="numpy")
def _in_a_kernel(x: Any, out: Any) -> None:
    for index in range(x.size):
        out[0, index] = elementary.sin(x[index])
        out[1, index] = elementary.cos(x[index])
        out[2, index] = elementary.exp(x[index])
        out[3, index] = elementary.log(x[index])


def _arguments(name: str, count: int) -> npt.NDArray[np.float64]:
    u = counters.uniform(counters.words(7, 1, np.arange(count)))[:, 0]
    if name in ("sin", "cos"):
        near = np.round(u * 300000) * (np.pi / 2)  # where the reduction loses most
        return np.concatenate([(2 * u - 1) * 2.0**20, (2 * u - 1) * 7, near, u * 1e-9])
    if name == "exp":
        return np.concatenate([u * 1453 - 744, 2 * u - 1, u * 1e-9])
    return np.concatenate([np.exp(u * 1400 - 700), 0.5 + u, 1 + u * 1e-9, u * 1e-310])


@pytest.mark.parametrize("name", EXACT)
def test_values_are_within_one_unit_in_the_last_place(name: str) -> None:
    x = _arguments(name, 400)
    got = getattr(elementary, name)(x)
    for argument, value in zip(x.tolist(), got.tolist(), strict=True):
        exact = EXACT[name](Decimal(argument))
        assert abs(Decimal(value) - exact) < Decimal(float(np.spacing(abs(float(exact))))), argument


def test_kernels_and_numpy_give_the_same_bits() -> None:
    x = np.concatenate([SPECIAL, *(_arguments(name, 3000) for name in EXACT)])
    out = np.empty((4, x.size))
    _in_a_kernel(x, out)
    with np.errstate(over="ignore"):
        expected = np.stack([getattr(elementary, name)(x) for name in EXACT])
    assert np.array_equal(np.isnan(out), np.isnan(expected))
    number = ~np.isnan(out)
    assert np.array_equal(out[number].view(np.int64), expected[number].view(np.int64))


def test_limits_and_what_is_no_number() -> None:
    assert np.isnan(elementary.sin(np.array([np.inf, np.nan, 2.0**20 + 1]))).all()
    assert np.isnan(elementary.cos(np.array([-np.inf, np.nan, -(2.0**21)]))).all()
    with np.errstate(over="ignore"):
        assert elementary.exp(np.array([np.inf, 710.0, -np.inf, -746.0])).tolist() == [
            np.inf,
            np.inf,
            0.0,
            0.0,
        ]
    assert elementary.exp(np.array([0.0, -0.0])).tolist() == [1.0, 1.0]
    assert np.isnan(elementary.exp(np.array([np.nan]))).all()
    assert elementary.log(np.array([0.0, 1.0, np.inf])).tolist() == [-np.inf, 0.0, np.inf]
    assert np.isnan(elementary.log(np.array([-1.0, np.nan, -np.inf]))).all()


def test_a_single_number_gives_a_single_number() -> None:
    assert isinstance(elementary.sin(0.5), float)
    assert float(elementary.exp(1)) == float(elementary.exp(np.array([1.0]))[0])
    assert elementary.cos(0.0) == 1.0


def test_normals_have_the_moments_and_quantiles_of_a_normal() -> None:
    words = counters.words(3, counters.Purpose.INITIAL, np.arange(100000))
    draws = elementary.normals(words)
    n = draws.size
    assert abs(draws.mean()) < 4 / n**0.5
    assert abs((draws**2).mean() - 1) < 4 * (2 / n) ** 0.5
    assert abs((draws**3).mean()) < 4 * (15 / n) ** 0.5
    assert abs((draws**4).mean() - 3) < 4 * (96 / n) ** 0.5
    assert abs((draws < 1.0).mean() - 0.8413447460685429) < 4 * (0.25 / n) ** 0.5
    assert abs((draws[:, 0] * draws[:, 1]).mean()) < 4 / (n / 4) ** 0.5
    assert np.abs(draws).max() < 6.77


def test_normals_are_one_formula_in_kernel_and_numpy() -> None:
    words = counters.words(3, counters.Purpose.INITIAL, np.arange(500))
    words[0] = [0, 0, 0xFFFFFFFF, 0xFFFFFFFF]
    expected = np.empty(words.shape)
    expected[:, 0], expected[:, 1] = elementary.normal_pair(words[:, 0], words[:, 1])
    expected[:, 2], expected[:, 3] = elementary.normal_pair(words[:, 2], words[:, 3])
    assert np.array_equal(elementary.normals(words), expected)
    assert np.isfinite(expected).all()


def test_files_with_functions_for_kernels_count_in_the_digest() -> None:
    files = [path for folder in ("model", "pipeline", "workers") for path in compiled.ROOT.glob(f"{folder}/**/*.py")]
    users = {path for path in [*files, *compiled.ROOT.glob("*.py")] if "\n@shared\n" in path.read_text()}
    assert compiled.ROOT / "elementary.py" in users
    assert users <= set(compiled.sources())
