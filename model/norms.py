"""Norms for clipping and max-norm: float64 sums in a fixed order, whoever computes them."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, F64, In, Out, Out2, device, kernel
from millrace.model.layout import Floats, Layout

CHUNK = 65_536  # elements of one partial sum; part of the contract


@kernel
def _squares(left: In[F32], right: In[F32], paired: bool, divisor: F32, sums: Out[F64]) -> None:
    """The sum of the squares of (left + right) / divisor over each chunk, in four strands joined in order."""
    n = left.shape[0]
    for chunk in range(sums.shape[0]):
        begin, end = chunk * CHUNK, min((chunk + 1) * CHUNK, n)
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        whole = begin + (end - begin) // 4 * 4
        for at in range(begin, whole, 4):
            p = np.float64((left[at] + right[at] if paired else left[at]) / divisor)
            q = np.float64((left[at + 1] + right[at + 1] if paired else left[at + 1]) / divisor)
            r = np.float64((left[at + 2] + right[at + 2] if paired else left[at + 2]) / divisor)
            s = np.float64((left[at + 3] + right[at + 3] if paired else left[at + 3]) / divisor)
            a += p * p
            b += q * q
            c += r * r
            d += s * s
        for at in range(whole, end):
            p = np.float64((left[at] + right[at] if paired else left[at]) / divisor)
            a += p * p
        sums[chunk] = (a + c) + (b + d)


def gradient_norm(left: Floats, right: Floats | None, divisor: float) -> float:
    """‖(left + right) / divisor‖, the Euclidean norm of the averaged gradient; float32 (n,), right None: left alone."""
    return norm_of(chunk_squares(left, right, divisor))


def chunk_squares(left: Floats, right: Floats | None, divisor: float) -> list[float]:
    """What `gradient_norm` adds up: the sum of each chunk's squares; of a part of the vector that begins with a chunk,
    those of its chunks."""
    sums = np.empty(-(-len(left) // CHUNK))
    _squares(left, left if right is None else right, right is not None, np.float32(divisor), sums)
    return sums.tolist()


def norm_of(squares: Iterable[float]) -> float:
    """The norm from `chunk_squares` of the whole vector, in order."""
    total = 0.0
    for part in squares:
        total += part
    return math.sqrt(total)


@device
def _factors(squares: In[F64], most: float, factors: Out[F32]) -> int:
    """What each unit's weights are shortened by; how many are too long."""
    long = 0
    for unit in range(squares.shape[0]):
        norm = np.sqrt(squares[unit])
        factors[unit] = np.float32(most / norm) if norm > most else np.float32(1.0)
        long += norm > most
    return long


@kernel
def _limit(weight: Out2[F32], most: float, squares: Out[F64], factors: Out[F32]) -> None:
    inputs, units = weight.shape
    squares[:] = 0.0
    for row in range(inputs):
        for unit in range(units):
            value = np.float64(weight[row, unit])
            squares[unit] += value * value
    if _factors(squares, most, factors):
        for row in range(inputs):
            for unit in range(units):
                weight[row, unit] *= factors[unit]


def limit_units(weights: Floats, layout: Layout, most: float) -> None:
    """Max-norm (Srebro and Shraibman 2005; Deep Learning, 7.2): shorten, in place, the weights that enter a unit to the
    norm `most`, of every dense layer; biases are left alone."""
    for layer in layout.layers:
        squares: npt.NDArray[np.float64] = np.empty(layer.units)
        _limit(layer.weight.view(weights), most, squares, np.empty(layer.units, np.float32))


@kernel
def _add_squares(part: In[F32], unit: int, squares: Out[F64]) -> None:
    for at in range(part.shape[0]):
        value = np.float64(part[at])
        squares[unit] += value * value
        unit = unit + 1 if unit + 1 < squares.shape[0] else 0


@kernel
def _shorten(part: Out[F32], unit: int, most: float, squares: In[F64], factors: Out[F32]) -> None:
    if _factors(squares, most, factors):
        for at in range(part.shape[0]):
            part[at] *= factors[unit]
            unit = unit + 1 if unit + 1 < squares.shape[0] else 0


UnitSquares = list[npt.NDArray[np.float64]]  # of each dense layer the running sum of its units' squares


def no_squares(layout: Layout) -> UnitSquares:
    """Where the sums of `add_unit_squares` begin."""
    return [np.zeros(layer.units) for layer in layout.layers]


def add_unit_squares(part: Floats, at: int, layout: Layout, squares: UnitSquares) -> None:
    """Max-norm where the vector lies in parts: add the squares of this one, which begins at the index `at`. From part
    to part, in order, the sums come out as `limit_units` has them of the whole."""
    for (low, high, unit), sums in _overlaps(part, at, layout, squares):
        _add_squares(part[low:high], unit, sums)


def limit_part(part: Floats, at: int, layout: Layout, squares: UnitSquares, most: float) -> None:
    """`limit_units` of a part that begins at the index `at`, in place; squares: with those of all parts."""
    for (low, high, unit), sums in _overlaps(part, at, layout, squares):
        _shorten(part[low:high], unit, most, sums, np.empty(len(sums), np.float32))


def _overlaps(
    part: Floats, at: int, layout: Layout, squares: UnitSquares
) -> Iterator[tuple[tuple[int, int, int], npt.NDArray[np.float64]]]:
    """What a part has of each dense layer's weights: (low, high, the unit of the first one), the layer's sums."""
    for layer, sums in zip(layout.layers, squares, strict=True):
        low, high = max(layer.weight.begin, at), min(layer.weight.end, at + len(part))
        if low < high:
            yield (low - at, high - at, (low - layer.weight.begin) % layer.units), sums


@kernel
def _blend(average: Out[F32], weights: In[F32], keep: F32, new: F32) -> None:
    for at in range(average.shape[0]):
        average[at] = keep * average[at] + new * weights[at]


def blend(average: Floats, weights: Floats, decay: float, t: int) -> None:
    """average ← d · average + (1 − d) · weights, in place, after step t from 1, with d = min(decay, t/(t + 9)).

    The first steps count less than a fixed decay would have them, so a short run is not held to its first weights;
    TensorFlow's moving averages begin alike.
    """
    keep = min(decay, t / (t + 9.0))
    _blend(average, weights, np.float32(keep), np.float32(1.0 - keep))
