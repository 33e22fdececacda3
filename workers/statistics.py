"""Mean and deviation of the training pixels, from whole numbers: exact, whoever counts and in which order."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.compiled import I64, U8, array, kernel, readonly


@kernel(readonly(U8), I64, I64, readonly(I64), array(I64, 2))
def _count(pixels: Any, channels: Any, size: Any, rows: Any, counts: Any) -> None:
    for row in range(rows.shape[0]):
        for channel in range(channels):
            begin = np.uint64((rows[row] * channels + channel) * size)
            for pixel in range(size):
                counts[channel, np.uint64(pixels[begin + np.uint64(pixel)])] += 1


def pixel_statistics(
    images: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over images[rows], in units of full brightness (0 to 1).

    images: uint8 (n, C, H, W). A channel without any variation has the deviation 1.
    """
    channels = images.shape[1]
    counts = np.zeros((channels, 256), np.int64)
    _count(images.reshape(-1), channels, images[0, 0].size, rows, counts)
    means, deviations = [], []
    for histogram in counts.tolist():
        total = sum(histogram)
        first = sum(value * count for value, count in enumerate(histogram))
        second = sum(value * value * count for value, count in enumerate(histogram))
        means.append(first / total / 255)
        variance = total * second - first * first  # a whole number, total² times the variance
        deviations.append(math.sqrt(variance / (total * total)) / 255 if variance else 1.0)
    return tuple(means), tuple(deviations)
