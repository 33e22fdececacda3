"""What update kernels share, element by element: the averaged gradient."""

from typing import Any

from millrace.compiled import device


@device
def averaged(left: Any, right: Any, paired: Any, divisor: Any, scale: Any, decay: Any, weight: Any) -> Any:
    """(left + right) / divisor · scale + decay · weight in float32; right counts where `paired`."""
    total = left + right if paired else left
    return total / divisor * scale + decay * weight
