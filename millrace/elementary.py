"""sin, cos, exp, log and normal draws from + − × ÷ √ alone, so that they have the same bits on every machine.

The mathematical library of the system and NumPy's vector loops differ in the last bit between machines;
the five operations above are exact to the last bit on each of them (IEEE 754). The polynomials are
plain Taylor series, long enough that their own error is far below half a unit in the last place.

Each function is written once and runs twice: on float64 numbers inside kernels (compiled by numba),
and on NumPy arrays, element by element, as ordinary Python. Both give the same bits. No function branches on
its argument, so kernels that call them stay free of jumps.

Errors stay below 1 ulp against exact values; not-a-number goes through, infinities go to
their limits where those exist.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import extending

from millrace.compiled import F64, U32, In, In2, Out, Out2, device, kernel

Function = TypeVar("Function", bound=Callable[..., Any])

ANGLE_LIMIT = 1048576.0  # 2²⁰: beyond it, the quarter turn times a count of turns is not exact any more

# The quarter turn π/2 in three parts: two of 33 bits, whose product with a count below 2²⁰ is exact,
# and a rest.
TURN_1 = float.fromhex("0x1.921fb54400000p+0")
TURN_2 = float.fromhex("0x1.0b4611a600000p-34")
TURN_3 = float.fromhex("0x1.3198a2e037073p-69")
TURNS_PER_RADIAN = 2.0 / math.pi

# The logarithm of two in two parts: 32 bits, whose product with an exponent is exact, and a rest.
LN2_1 = float.fromhex("0x1.62e42fee00000p-1")
LN2_2 = float.fromhex("0x1.a39ef35793c76p-33")
LOG2_E = float.fromhex("0x1.71547652b82fep+0")

SQRT_HALF_BITS = 0x3FE6A09E00000000  # the bits of √½, rounded down to its upper word
ONE_BITS = 0x3FF0000000000000
SMALLEST_NORMAL = 2.0**-1022

# Reciprocals of factorials: each is one correctly rounded division of whole numbers below 2⁵³.
F2, F3, F4, F5, F6 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720
F7, F8, F9, F10 = 1 / 5040, 1 / 40320, 1 / 362880, 1 / 3628800
F11, F12, F13 = 1 / 39916800, 1 / 479001600, 1 / 6227020800
F14, F15, F16 = 1 / 87178291200, 1 / 1307674368000, 1 / 20922789888000
F17 = 1 / 355687428096000


def shared(function: Function) -> Function:
    """Make a function callable from kernels as well; called from Python it stays what it is.

    A file that uses this must import something from `compiled`, so that its text counts in the kernels' digest.
    """
    return extending.register_jitable(function)


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """`yes` where the condition holds, else `no`: for arrays, and for numbers in kernels."""
    return np.where(condition, yes, no)[()]


@extending.overload(choose)
def _choose_in_kernels(condition: Any, yes: Any, no: Any) -> Any:
    def number(condition: Any, yes: Any, no: Any) -> Any:
        return yes if condition else no

    return number


@shared
def _reduce(x: Any) -> Any:
    """The nearest count of quarter turns, modulo 4, and the rest of the angle as a sum of two numbers."""
    turns = np.floor(x * TURNS_PER_RADIAN + 0.5)
    first = x - turns * TURN_1
    second = turns * TURN_2
    # The difference of two numbers with its rounding error (Knuth): exact whichever of them is larger.
    high = first - second
    back = high - first
    low = (first - (high - back)) - (second + back)
    rest = turns * TURN_3 - low
    angle = high - rest
    return turns - 4.0 * np.floor(turns * 0.25), angle, (high - angle) - rest


@shared
def _sin_near_zero(a: Any, b: Any) -> Any:
    """sin(a + b) for |a| ≤ π/4 and b far smaller than a."""
    z = a * a
    tail = F9 - z * (F11 - z * (F13 - z * (F15 - z * F17)))
    tail = F5 - z * (F7 - z * tail)
    cube = z * a
    return a - ((z * (0.5 * b - cube * tail) - b) + cube * F3)


@shared
def _cos_near_zero(a: Any, b: Any) -> Any:
    """cos(a + b) for |a| ≤ π/4 and b far smaller than a."""
    z = a * a
    tail = F8 - z * (F10 - z * (F12 - z * (F14 - z * F16)))
    tail = z * (F4 - z * (F6 - z * tail))
    half = 0.5 * z
    whole = 1.0 - half
    return whole + (((1.0 - whole) - half) + (z * tail - a * b))


@shared
def sin(x: Any) -> Any:
    """The sine of an angle in radians, float64; not a number beyond ±2²⁰."""
    x = np.float64(x)
    x = choose(np.abs(x) <= ANGLE_LIMIT, x, np.nan)
    quarter, a, b = _reduce(x)
    odd = (quarter == 1.0) | (quarter == 3.0)
    value = choose(odd, _cos_near_zero(a, b), _sin_near_zero(a, b))
    return choose(quarter >= 2.0, -value, value)


@shared
def cos(x: Any) -> Any:
    """The cosine of an angle in radians, float64; not a number beyond ±2²⁰."""
    x = np.float64(x)
    x = choose(np.abs(x) <= ANGLE_LIMIT, x, np.nan)
    quarter, a, b = _reduce(x)
    odd = (quarter == 1.0) | (quarter == 3.0)
    value = choose(odd, _sin_near_zero(a, b), _cos_near_zero(a, b))
    return choose((quarter == 1.0) | (quarter == 2.0), -value, value)


@shared
def _cos_and_sin(x: Any) -> Any:
    """Both at once, the same bits, for an angle within ±2²⁰."""
    quarter, a, b = _reduce(x)
    odd = (quarter == 1.0) | (quarter == 3.0)
    sine, cosine = _sin_near_zero(a, b), _cos_near_zero(a, b)
    across, up = choose(odd, sine, cosine), choose(odd, cosine, sine)
    return choose((quarter == 1.0) | (quarter == 2.0), -across, across), choose(quarter >= 2.0, -up, up)


@shared
def _power_of_two(exponent: Any) -> Any:
    """2 to a whole power from −1022 to 1023, made from its bits."""
    return np.int64((np.int64(exponent) + 1023) << 52).view(np.float64)


def power(base: float, exponent: int) -> float:
    """base to a whole power from 0 by repeated squaring, float64: for Python, not for kernels."""
    value = 1.0
    while exponent:
        if exponent & 1:
            value *= base
        base *= base
        exponent >>= 1
    return value


@shared
def exp(x: Any) -> Any:
    """The exponential function, float64; 0 below −746, infinite above 710."""
    x = np.minimum(np.maximum(np.float64(x), -746.0), 710.0)
    # Not-a-number stays in x; the exponent, which becomes a whole number, gets some value in its place.
    power = np.floor(choose(x == x, x, 0.0) * LOG2_E + 0.5)
    high = x - power * LN2_1
    low = power * LN2_2
    r = high - low
    tail = F8 + r * (F9 + r * (F10 + r * (F11 + r * (F12 + r * F13))))
    tail = F2 + r * (F3 + r * (F4 + r * (F5 + r * (F6 + r * (F7 + r * tail)))))
    value = 1.0 + (high + (r * r * tail - low))
    # In two steps: one power of two does not reach from the largest to the smallest subnormal number.
    half = np.floor(power * 0.5)
    return value * _power_of_two(half) * _power_of_two(power - half)


@shared
def log(x: Any) -> Any:
    """The natural logarithm, float64; −∞ at 0, not a number below."""
    x = np.float64(x)
    tiny = x < SMALLEST_NORMAL
    scaled = x * choose(tiny, 2.0**54, 1.0)
    bits = np.float64(scaled).view(np.int64) + (ONE_BITS - SQRT_HALF_BITS)
    power = np.float64((bits >> 52) - 1023) - choose(tiny, 54.0, 0.0)
    # The fraction m in [√½, √2): x = m · 2 to the power.
    m = np.int64((bits & 0x000FFFFFFFFFFFFF) + SQRT_HALF_BITS).view(np.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    # log(1 + f) = 2 artanh(s) = 2s + 2s³/3 + 2s⁵/5 + …, arranged so that f itself, which is exact, leads.
    tail = 2 / 15 + z * (2 / 17 + z * (2 / 19 + z * (2 / 21 + z * (2 / 23 + z * (2 / 25)))))
    tail = z * (2 / 3 + z * (2 / 5 + z * (2 / 7 + z * (2 / 9 + z * (2 / 11 + z * (2 / 13 + z * tail))))))
    half = 0.5 * f * f
    value = power * LN2_1 - ((half - (s * (half + tail) + power * LN2_2)) - f)
    value = choose(x < np.inf, value, x)
    return choose(x > 0.0, value, choose(x == 0.0, -np.inf, np.nan))


@shared
def normal_pair(first: Any, second: Any) -> Any:
    """Two independent N(0, 1) numbers from two random words (Box and Muller 1958), below 6.77 in size."""
    radius = np.sqrt(-2.0 * log((np.float64(first) + 0.5) * 2.0**-32))
    angle = (np.float64(second) + 0.5) * (2.0 * math.pi * 2.0**-32)
    return radius * cos(angle), radius * sin(angle)


@device
def fill_normals(first: In[U32], second: In[U32], one: Out[F64], two: Out[F64]) -> None:
    """`normal_pair` of whole rows, the same bits: uint32 (n,) twice into float64 (n,) twice.

    Radius and angle have a loop each: all in one loop would be too long for vector code."""
    for k in range(first.shape[0]):
        one[k] = np.sqrt(-2.0 * log((np.float64(first[k]) + 0.5) * 2.0**-32))
    for k in range(first.shape[0]):
        radius = one[k]
        cosine, sine = _cos_and_sin((np.float64(second[k]) + 0.5) * (2.0 * math.pi * 2.0**-32))
        one[k], two[k] = radius * cosine, radius * sine


@kernel
def _normals(words: In2[U32], out: Out2[F64]) -> None:
    for row in range(words.shape[0]):
        out[row, 0], out[row, 1] = normal_pair(words[row, 0], words[row, 1])
        out[row, 2], out[row, 3] = normal_pair(words[row, 2], words[row, 3])


def normals(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """Independent N(0, 1) numbers, one for each random word of `counters.words`: float64, shape (n, 4)."""
    out = np.empty(words.shape, np.float64)
    _normals(words, out)
    return out
