"""Norms for clipping and max-norm: float64 sums in a fixed order, whoever computes them."""

import math

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, F64, In, Out, Out2, kernel
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
    sums = np.empty(-(-len(left) // CHUNK))
    _squares(left, left if right is None else right, right is not None, np.float32(divisor), sums)
    total = 0.0
    for part in sums.tolist():
        total += part
    return math.sqrt(total)


@kernel
def _limit(weight: Out2[F32], most: float, squares: Out[F64], factors: Out[F32]) -> None:
    inputs, units = weight.shape
    squares[:] = 0.0
    for row in range(inputs):
        for unit in range(units):
            value = np.float64(weight[row, unit])
            squares[unit] += value * value
    long = 0
    for unit in range(units):
        norm = np.sqrt(squares[unit])
        factors[unit] = np.float32(most / norm) if norm > most else np.float32(1.0)
        long += norm > most
    if long:
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
