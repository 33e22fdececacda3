"""The warp in plain NumPy: slow, readable, and equal to `pipeline.warp` and `pipeline.bend` in every bit."""

import numpy as np
import numpy.typing as npt

from millrace.pipeline.elastic import F32Array, spline
from millrace.pipeline.visited import U8Array
from millrace.pipeline.warp import check_images


def warp(images: U8Array, rows: npt.NDArray[np.int64], matrices: npt.NDArray[np.float32]) -> U8Array:
    """As `pipeline.warp.warp`: same arguments, same result, one sample at a time."""
    check_images(images)
    results = [warp_one(images[row], matrix) for row, matrix in zip(rows, matrices, strict=True)]
    return np.stack(results) if results else np.empty((0, *images.shape[1:]), np.uint8)


def bend(images: U8Array, rows: npt.NDArray[np.int64], matrices: F32Array, controls: F32Array) -> U8Array:
    """As `pipeline.bend.bend`: same arguments, same result, one sample at a time."""
    check_images(images)
    height, width = images.shape[2:]
    results = [
        warp_one(images[row], matrix, (moves(points[0], height, width), moves(points[1], height, width)))
        for row, matrix, points in zip(rows, matrices, controls, strict=True)
    ]
    return np.stack(results) if results else np.empty((0, *images.shape[1:]), np.uint8)


def moves(points: F32Array, height: int, width: int) -> F32Array:
    """What control points, float32 (k, k), move each pixel by: float32 (height, width), a cubic B-spline."""
    cells = len(points) - 3
    basis, upright = spline(width, cells).spread(cells, width), spline(height, cells)
    lines = points[:, :1] * basis[0]
    for k in range(1, len(points)):
        lines = lines + points[:, k : k + 1] * basis[k]
    near = [upright.weights[:, k : k + 1] * lines[upright.first + k] for k in range(4)]
    return ((near[0] + near[1]) + near[2]) + near[3]  # type: ignore[no-any-return]


def erase(images: U8Array, rectangles: npt.NDArray[np.int64]) -> U8Array:
    """As `pipeline.erase.erase`, in a copy."""
    erased = images.copy()
    for image, (top, left, bottom, right) in zip(erased, rectangles, strict=True):
        image[:, top:bottom, left:right] = 0
    return erased


def warp_one(image: U8Array, matrix: F32Array, moved: tuple[F32Array, F32Array] | None = None) -> U8Array:
    """One image, uint8 (C, H, W), through one matrix, float32 (6,). moved: what is added to each pixel's source, in x
    and in y, float32 (H, W) each."""
    channels, height, width = image.shape
    one = np.float32(1)
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    # One is added because the image stands in a frame of zeros, one pixel wide at the left and top, two elsewhere.
    source_x = matrix[0] * x + ((matrix[1] * y + matrix[2]) + one)
    source_y = matrix[3] * x + ((matrix[4] * y + matrix[5]) + one)
    if moved is not None:
        source_x, source_y = source_x + moved[0], source_y + moved[1]
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
