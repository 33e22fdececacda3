"""What update kernels share, element by element: the averaged gradient, and moments that settle at zero."""

from typing import Any

import numpy as np

from compiled import device


@device
def averaged(left: Any, right: Any, paired: Any, divisor: Any, scale: Any, decay: Any, weight: Any) -> Any:
    """(left + right) / divisor · scale + decay · weight in float32; right counts where `paired`."""
    total = left + right if paired else left
    return total / divisor * scale + decay * weight


@device
def settled(moment: Any, floor: Any) -> Any:
    """The moment, or 0 where its size is below the floor; float32.

    The moments of a weight whose gradient has become 0 (a pixel that is always dark, a dead unit) shrink
    for ever. Below 1e-38 numbers are subnormal, which slows processors down, many by a factor of a hundred.
    The floors used lie far below what changes a weight.
    """
    # Not-a-number is no smaller than the floor: it stays.
    return np.float32(0.0) if abs(moment) < floor else moment
