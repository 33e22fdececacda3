"""The warp in plain NumPy: slow, readable, and equal to `pipeline.warp` in every bit."""

import numpy as np
import numpy.typing as npt

from pipeline.warp import U8Array, check_images


def warp(images: U8Array, rows: npt.NDArray[np.int64], matrices: npt.NDArray[np.float32]) -> U8Array:
    """As `pipeline.warp.warp`: same arguments, same result, one sample at a time."""
    check_images(images)
    results = [warp_one(images[row], matrix) for row, matrix in zip(rows, matrices, strict=True)]
    return np.stack(results) if results else np.empty((0, *images.shape[1:]), np.uint8)


def warp_one(image: U8Array, matrix: npt.NDArray[np.float32]) -> U8Array:
    """One image, uint8 (C, H, W), through one matrix, float32 (6,)."""
    channels, height, width = image.shape
    one = np.float32(1)
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    # One is added because the image stands in a frame of zeros, one pixel wide at the left and top, two elsewhere.
    source_x = matrix[0] * x + ((matrix[1] * y + matrix[2]) + one)
    source_y = matrix[3] * x + ((matrix[4] * y + matrix[5]) + one)
    # Where a matrix is so extreme that infinities meet, not-a-number compares false and counts as outside.
    source_x = np.minimum(np.where(source_x > 0, source_x, np.float32(0)), np.float32(width + 1))
    source_y = np.minimum(np.where(source_y > 0, source_y, np.float32(0)), np.float32(height + 1))
    left, top = source_x.astype(np.int32), source_y.astype(np.int32)
    across, down = source_x - left.astype(np.float32), source_y - top.astype(np.float32)
    framed = np.zeros((channels, height + 3, width + 3), np.float32)
    framed[:, 1 : height + 1, 1 : width + 1] = image
    a, b = framed[:, top, left], framed[:, top, left + 1]
    c, d = framed[:, top + 1, left], framed[:, top + 1, left + 1]
    upper, lower = a + across * (b - a), c + across * (d - c)
    blended: U8Array = np.rint(upper + down * (lower - upper)).astype(np.uint8)
    return blended
