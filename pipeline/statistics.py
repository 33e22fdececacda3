"""Mean and deviation of the training pixels, from whole numbers: exact, whoever counts and in which order."""

import math

import numpy as np
import numpy.typing as npt

from millrace.compiled import I64, U8, In, Out2, kernel

PIECE = 1 << 15  # pixels whose squares still sum to less than 2³²


@kernel
def _sums(pixels: In[U8], channels: int, size: int, rows: In[I64], sums: Out2[I64]) -> None:
    for row in range(rows.shape[0]):
        for channel in range(channels):
            begin = (rows[row] * channels + channel) * size
            for piece in range(0, size, PIECE):
                part = pixels[begin + piece : begin + min(piece + PIECE, size)]
                # Sums of 32 bits become vector code.
                first, second = np.uint32(0), np.uint32(0)
                for index in range(part.shape[0]):
                    value = np.uint32(part[np.uint64(index)])
                    first = np.uint32(first + value)
                    second = np.uint32(second + value * value)
                sums[channel, 0] += np.int64(first)
                sums[channel, 1] += np.int64(second)


def pixel_statistics(
    images: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over images[rows], in units of full brightness (0 to 1).

    images: uint8 (n, C, H, W). A channel without any variation has the deviation 1.
    """
    channels = images.shape[1]
    sums = np.zeros((channels, 2), np.int64)
    size = images.shape[2] * images.shape[3]
    _sums(images.reshape(-1), channels, size, np.ascontiguousarray(rows, np.int64), sums)
    total = len(rows) * size
    means, deviations = [], []
    for first, second in sums.tolist():
        means.append(first / total / 255)
        variance = total * second - first * first  # a whole number, total² times the variance
        deviations.append(math.sqrt(variance / (total * total)) / 255 if variance else 1.0)
    return tuple(means), tuple(deviations)
