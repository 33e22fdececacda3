"""Layer normalisation (Ba, Kiros, Hinton 2016): rows of mean 0 and deviation 1, then gain and shift."""

from typing import Any

import numpy as np

from millrace.compiled import F32, F64, In, In2, Out, Out2, device, kernel

EPSILON = 1e-5  # added to the variance, as PyTorch does
LANES = 8


@device
def _sum(lanes: In[F64]) -> Any:
    """Eight partial sums to one, in a fixed order."""
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))


@kernel
def forward(
    x: In2[F32], gain: In[F32], shift: In[F32], lanes: Out[F64], unit: Out2[F32], inverse: Out[F32], out: Out2[F32]
) -> None:
    """out = gain · u + shift, u = (x − mean) / √(variance + 1e-5) over each row; u and the quotient are kept.

    x, unit, out: float32 (rows, n). gain, shift: (n,). inverse: (rows,). lanes: float64 (8,), scratch: means are
    float64 sums over every eighth element, then joined, whatever the machine.
    """
    n = x.shape[1]
    for row in range(x.shape[0]):
        lanes[:] = 0.0
        for at in range(n):
            lanes[at % LANES] += np.float64(x[row, at])
        mean = _sum(lanes) / n
        lanes[:] = 0.0
        for at in range(n):
            off = np.float64(x[row, at]) - mean
            lanes[at % LANES] += off * off
        factor = np.float32(1.0 / np.sqrt(_sum(lanes) / n + EPSILON))
        center = np.float32(mean)
        inverse[row] = factor
        for at in range(n):
            value = (x[row, at] - center) * factor
            unit[row, at] = value
            out[row, at] = value * gain[at] + shift[at]


@kernel
def backward(
    deltas: Out2[F32],
    unit: In2[F32],
    inverse: In[F32],
    gain: In[F32],
    lanes: Out[F64],
    gain_gradient: Out[F32],
    shift_gradient: Out[F32],
) -> None:
    """deltas ← the gradient by x, in place; the sums over the rows of the gradients by gain and shift, in row order.

    With d = delta · gain: dx = (d − mean(d) − u · mean(d · u)) · inverse.
    """
    n = deltas.shape[1]
    gain_gradient[:] = np.float32(0.0)
    shift_gradient[:] = np.float32(0.0)
    for row in range(deltas.shape[0]):
        for at in range(n):
            gain_gradient[at] += deltas[row, at] * unit[row, at]
            shift_gradient[at] += deltas[row, at]
            deltas[row, at] *= gain[at]
        lanes[:] = 0.0
        for at in range(n):
            lanes[at % LANES] += np.float64(deltas[row, at])
        mean = np.float32(_sum(lanes) / n)
        lanes[:] = 0.0
        for at in range(n):
            lanes[at % LANES] += np.float64(deltas[row, at]) * np.float64(unit[row, at])
        slope = np.float32(_sum(lanes) / n)
        factor = inverse[row]
        for at in range(n):
            deltas[row, at] = (deltas[row, at] - mean - unit[row, at] * slope) * factor
