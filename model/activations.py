"""Activation functions between the layers, fused with the bias: one pass forward, one pass back.

To add one: write its two kernels, put it into ACTIVATIONS and its name into `model.options`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiled import F32, array, kernel, readonly


@kernel(array(F32, 2), readonly(F32), array(F32, 2))
def _relu_forward(sums: Any, bias: Any, outputs: Any) -> None:
    zero = np.float32(0.0)
    for row in range(sums.shape[0]):
        for unit in range(sums.shape[1]):
            # In place: read from where it is written, else the compiler must assume that they overlap by halves.
            value = outputs[row, unit] + bias[unit]
            # Written so that not-a-number goes through: a diverged network must not look healthy.
            outputs[row, unit] = zero if value < zero else value


@kernel(array(F32, 2), readonly(F32, 2), readonly(F32, 2), array(F32))
def _relu_backward(deltas: Any, sums: Any, outputs: Any, bias: Any) -> None:
    zero = np.float32(0.0)
    bias[:] = zero
    for row in range(deltas.shape[0]):
        for unit in range(deltas.shape[1]):
            delta = deltas[row, unit] if outputs[row, unit] > zero else zero
            deltas[row, unit] = delta
            bias[unit] += delta


@dataclass(frozen=True)
class Activation:
    """An activation function g as two kernels on float32 arrays of shape (rows, units).

    forward(sums, bias, outputs): outputs = g(sums + bias); with `in_place`, `sums` is `outputs`, and only
    the outputs are kept. An activation whose slope needs its argument adds the bias to `sums` as well.
    backward(deltas, sums, outputs, bias): deltas ← deltas · g′, in place, and bias ← their sum over
    the rows, added in row order.
    """

    name: str
    in_place: bool
    forward: Callable[..., None]
    backward: Callable[..., None]


ACTIVATIONS = {"relu": Activation("relu", True, _relu_forward, _relu_backward)}
