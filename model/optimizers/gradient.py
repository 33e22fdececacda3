"""The gradient that an update kernel uses, element by element: averaged, scaled, with L2."""

from typing import Any

from elementary import shared


@shared
def averaged(left: Any, right: Any, paired: Any, divisor: Any, scale: Any, decay: Any, weight: Any) -> Any:
    """(left + right) / divisor · scale + decay · weight in float32; right counts where `paired`."""
    total = left + right if paired else left
    return total / divisor * scale + decay * weight
