"""Numbers far too small to change a weight become 0, before they get so small that they slow the processor down."""

import numpy as np

from millrace.compiled import F32, device

FLOOR = np.float32(1e-30)  # of deltas and moments: beside the sums that they enter, nothing
SQUARE_FLOOR = np.float32(1e-36)  # of moments of squares
SLOPE_FLOOR = np.float32(1e-20)  # of slopes, so that the product of slope and delta is not subnormal on its way


@device
def settled(value: F32, floor: F32) -> F32:
    """The value, or 0 where its size is below the floor; float32.

    Below 1e-38 numbers are subnormal, which slows processors down, many by a factor of a hundred: one in fifty among
    the deltas of a layer makes its matrix products take twice as long. Two kinds of numbers end there: the moments of a
    weight whose gradient has become 0 (a pixel that is always dark, a dead unit), and the deltas of units far down
    GELU's left tail, where a network in training sends more and more of them. The floors used lie far below what
    changes a weight.
    """
    # Not-a-number is no smaller than the floor: it stays.
    return np.float32(0.0) if abs(value) < floor else value
