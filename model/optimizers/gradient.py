"""What update kernels share, element by element: the averaged gradient."""

from millrace.compiled import F32, device


@device
def averaged(left: F32, right: F32, paired: bool, divisor: F32, scale: F32, decay: F32, weight: F32) -> F32:
    """(left + right) / divisor · scale + decay · weight in float32; right counts where `paired`."""
    total = left + right if paired else left
    return total / divisor * scale + decay * weight
