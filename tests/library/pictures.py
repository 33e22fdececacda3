"""Small arrays to stream: pictures that tell by their pixels which sample they are."""

from typing import Any

import numpy as np
import numpy.typing as npt

import millrace
from millrace.loading.datastream import DataStream

POLICY = {"rotate": 20, "translate": 0.1, "scale": [0.8, 1.2], "flip": 0.5}


def pictures(count: int = 37, channels: int = 3) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images uint8 (count, channels, 6, 7), noise, and labels int64 0 to 4."""
    size = count * channels * 42
    pixels = (np.arange(1, size + 1, dtype=np.uint64) * 2654435761 % 65521 % 256).astype(np.uint8)
    return pixels.reshape(count, channels, 6, 7), np.arange(count) % 5


def small(count: int = 37, **options: Any) -> DataStream:
    """A stream of `pictures`, eight to a batch: five steps an epoch, the last of five rows."""
    chosen: dict[str, Any] = {"batch": 8, "seed": 3, "policy": POLICY, "threads": 2, **options}
    return millrace.stream(pictures(count), **chosen)
