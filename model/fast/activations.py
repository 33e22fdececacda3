"""Activation functions between the layers, fused with the bias: one pass forward, one pass back.

To add one: write its two kernels, put it into ACTIVATIONS and its name into `model.options`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from millrace.compiled import F32, In, In2, Out, Out2, kernel
from millrace.model.fast.curves import erf, exp_below, tanh
from millrace.model.fast.settling import FLOOR, SLOPE_FLOOR, settled

ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
LEAK = np.float32(0.01)  # the slope of leaky ReLU below 0
SQRT_HALF = np.float32(0.70710678)
NORMAL = np.float32(0.39894228)  # 1/√(2π)


@kernel
def _relu_forward(sums: Out2[F32], bias: In[F32], outputs: Out2[F32]) -> None:
    zero = np.float32(0.0)
    for row in range(sums.shape[0]):
        for unit in range(sums.shape[1]):
            # In place: read from where it is written, else the compiler must assume that they overlap by halves.
            value = outputs[row, unit] + bias[unit]
            # Written so that not-a-number goes through: a diverged network must not look healthy.
            outputs[row, unit] = zero if value < zero else value


@kernel
def _relu_backward(deltas: Out2[F32], sums: In2[F32], outputs: In2[F32], bias: Out[F32]) -> None:
    zero = np.float32(0.0)
    bias[:] = zero
    for row in range(deltas.shape[0]):
        for unit in range(deltas.shape[1]):
            delta = deltas[row, unit] if outputs[row, unit] > zero else zero
            deltas[row, unit] = delta
            bias[unit] += delta


@kernel
def _leaky_forward(sums: Out2[F32], bias: In[F32], outputs: Out2[F32]) -> None:
    for row in range(sums.shape[0]):
        for unit in range(sums.shape[1]):
            value = outputs[row, unit] + bias[unit]
            outputs[row, unit] = value * LEAK if value < ZERO else value


@kernel
def _leaky_backward(deltas: Out2[F32], sums: In2[F32], outputs: In2[F32], bias: Out[F32]) -> None:
    bias[:] = ZERO
    for row in range(deltas.shape[0]):
        for unit in range(deltas.shape[1]):
            # The output has the sign of the argument.
            delta = deltas[row, unit] if outputs[row, unit] > ZERO else deltas[row, unit] * LEAK
            deltas[row, unit] = delta
            bias[unit] += delta


@kernel
def _tanh_forward(sums: Out2[F32], bias: In[F32], outputs: Out2[F32]) -> None:
    for row in range(sums.shape[0]):
        for unit in range(sums.shape[1]):
            outputs[row, unit] = tanh(outputs[row, unit] + bias[unit])


@kernel
def _tanh_backward(deltas: Out2[F32], sums: In2[F32], outputs: In2[F32], bias: Out[F32]) -> None:
    bias[:] = ZERO
    for row in range(deltas.shape[0]):
        for unit in range(deltas.shape[1]):
            value = outputs[row, unit]
            delta = settled(deltas[row, unit] * (ONE - value * value), FLOOR)
            deltas[row, unit] = delta
            bias[unit] += delta


@kernel
def _gelu_forward(sums: Out2[F32], bias: In[F32], outputs: Out2[F32]) -> None:
    """x Φ(x) with the true Φ (Hendrycks and Gimpel 2016), not its tanh likeness; `sums` is left with the slopes."""
    for row in range(sums.shape[0]):
        for unit in range(sums.shape[1]):
            value = sums[row, unit] + bias[unit]
            below = HALF + HALF * erf(value * SQRT_HALF)
            outputs[row, unit] = value * below
            power = settled(exp_below(-HALF * (value * value)), FLOOR)
            sums[row, unit] = settled(below + value * (NORMAL * power), SLOPE_FLOOR)


@kernel
def _times_slope(deltas: Out2[F32], sums: In2[F32], outputs: In2[F32], bias: Out[F32]) -> None:
    bias[:] = ZERO
    for row in range(deltas.shape[0]):
        for unit in range(deltas.shape[1]):
            delta = settled(deltas[row, unit] * sums[row, unit], FLOOR)
            deltas[row, unit] = delta
            bias[unit] += delta


@kernel
def _linear_forward(sums: Out2[F32], bias: In[F32], outputs: Out2[F32]) -> None:
    for row in range(sums.shape[0]):
        for unit in range(sums.shape[1]):
            outputs[row, unit] += bias[unit]


@kernel
def _linear_backward(deltas: Out2[F32], sums: In2[F32], outputs: In2[F32], bias: Out[F32]) -> None:
    bias[:] = ZERO
    for row in range(deltas.shape[0]):
        for unit in range(deltas.shape[1]):
            bias[unit] += deltas[row, unit]


@dataclass(frozen=True)
class Activation:
    """An activation function g as two kernels on float32 arrays of shape (rows, units).

    forward(sums, bias, outputs): outputs = g(sums + bias); with `in_place`, `sums` is `outputs`, and only
    the outputs are kept. An activation whose slope needs its argument leaves the slopes in `sums`.
    backward(deltas, sums, outputs, bias): deltas ← deltas · g′, in place, and bias ← their sum over
    the rows, added in row order.
    """

    name: str
    in_place: bool
    forward: Callable[..., None]
    backward: Callable[..., None]


ACTIVATIONS = {
    "relu": Activation("relu", True, _relu_forward, _relu_backward),
    "leaky-relu": Activation("leaky-relu", True, _leaky_forward, _leaky_backward),
    "gelu": Activation("gelu", False, _gelu_forward, _times_slope),
    "tanh": Activation("tanh", True, _tanh_forward, _tanh_backward),
}
LINEAR = Activation("linear", True, _linear_forward, _linear_backward)  # where a layer has none
