"""Numbers far too small to change a weight become 0, before they get so small that they slow the processor down."""

from typing import Any

from millrace.compiled import F32
from millrace.elementary import choose, shared

FLOOR = F32(1e-30)  # of deltas and moments: beside the sums that they enter, nothing
SQUARE_FLOOR = F32(1e-36)  # of moments of squares
SLOPE_FLOOR = F32(1e-20)  # of slopes, so that the product of slope and delta is not subnormal on its way


@shared
def settled(value: Any, floor: Any) -> Any:
    """The value, or 0 where its size is below the floor; float32, an array or a number.

    Below 1e-38 numbers are subnormal, which slows processors down, many by a factor of a hundred: one in fifty among
    the deltas of a layer makes its matrix products take twice as long. Two kinds of numbers end there: the moments of a
    weight whose gradient has become 0 (a pixel that is always dark, a dead unit), and the deltas of units far down
    GELU's left tail, where a network in training sends more and more of them. The floors used lie far below what
    changes a weight.
    """
    # Not-a-number is no smaller than the floor: it stays.
    return choose(abs(value) < floor, F32(0.0), value)
