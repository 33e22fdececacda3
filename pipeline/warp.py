"""The warp: one bilinear resampling of a whole batch, uint8 in, uint8 out.

It is what `scipy.ndimage.affine_transform(order=1, mode="grid-constant", cval=0)` defines, in float32 and rounded half
to even; `pipeline.reference` says the same in plain NumPy, and both agree in every bit.

How it is quick: each source plane is packed once so that one 32-bit word holds the 2×2 neighbourhood of a place; one
load then fetches all four pixels. Coordinates do not depend on the channel and are computed once per sample. The
loops with arithmetic have no scattered access and so become vector code; the loop with scattered access has no
arithmetic. Indices are unsigned: numba would otherwise test each for a negative value.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from compiled import F32, I64, U8, array, device, kernel, readonly
from errors import UsageError

U8Array = npt.NDArray[np.uint8]
U = np.uint64


@device
def _locate(matrix: Any, height: Any, width: Any, ramp: Any, index: Any, across: Any, down: Any) -> None:
    """Word index and weights of each output pixel. Coordinates are shifted by one for the frame of zeros."""
    zero, right, bottom = np.float32(0), np.float32(width + 1), np.float32(height + 1)
    one = np.float32(1)
    stride = np.int32(width + 2)
    for y in range(height):
        row_x = (matrix[1] * ramp[U(y)] + matrix[2]) + one
        row_y = (matrix[4] * ramp[U(y)] + matrix[5]) + one
        begin = U(y * width)
        for x in range(width):
            source_x = matrix[0] * ramp[U(x)] + row_x
            source_x = source_x if source_x > zero else zero
            source_x = source_x if source_x < right else right
            source_y = matrix[3] * ramp[U(x)] + row_y
            source_y = source_y if source_y > zero else zero
            source_y = source_y if source_y < bottom else bottom
            left, top = np.int32(source_x), np.int32(source_y)
            index[begin + U(x)] = np.uint32(top * stride + left)
            across[begin + U(x)] = source_x - np.float32(left)
            down[begin + U(x)] = source_y - np.float32(top)


@device
def _pack(pixels: Any, begin: Any, height: Any, width: Any, framed: Any, words: Any) -> None:
    """One plane into words of four neighbours: upper left, upper right, lower left, lower right, lowest byte first."""
    pitch = width + 3
    for y in range(height):
        source, target = begin + U(y * width), U((y + 1) * pitch + 1)
        for x in range(width):
            framed[target + U(x)] = pixels[source + U(x)]
    for y in range(height + 2):
        upper, lower, target = U(y * pitch), U((y + 1) * pitch), U(y * (width + 2))
        for x in range(width + 2):
            words[target + U(x)] = (
                np.uint32(framed[upper + U(x)])
                | (np.uint32(framed[upper + U(x + 1)]) << np.uint32(8))
                | (np.uint32(framed[lower + U(x)]) << np.uint32(16))
                | (np.uint32(framed[lower + U(x + 1)]) << np.uint32(24))
            )


@device
def _gather(words: Any, index: Any, size: Any, got: Any) -> None:
    for x in range(size):
        got[U(x)] = words[U(index[U(x)])]


@device
def _blend(got: Any, across: Any, down: Any, size: Any, out: Any, begin: Any) -> None:
    byte = np.uint32(255)
    for x in range(size):
        word = got[U(x)]
        a = np.float32(np.int32(word & byte))
        b = np.float32(np.int32((word >> np.uint32(8)) & byte))
        c = np.float32(np.int32((word >> np.uint32(16)) & byte))
        d = np.float32(np.int32(word >> np.uint32(24)))
        upper = a + across[U(x)] * (b - a)
        lower = c + across[U(x)] * (d - c)
        out[begin + U(x)] = np.uint8(np.int32(np.rint(upper + down[U(x)] * (lower - upper))))


@kernel(readonly(U8), I64, I64, I64, readonly(I64), readonly(F32, 2), array(U8))
def _warp(pixels: Any, channels: Any, height: Any, width: Any, rows: Any, matrices: Any, out: Any) -> None:
    size = height * width
    framed = np.zeros((height + 3) * (width + 3), np.uint8)
    words = np.empty((height + 2) * (width + 2), np.uint32)
    index, got = np.empty(size, np.uint32), np.empty(size, np.uint32)
    across, down = np.empty(size, np.float32), np.empty(size, np.float32)
    ramp = np.arange(max(height, width)).astype(np.float32)
    for sample in range(rows.shape[0]):
        _locate(matrices[sample], height, width, ramp, index, across, down)
        for channel in range(channels):
            _pack(pixels, U((rows[sample] * channels + channel) * size), height, width, framed, words)
            _gather(words, index, size, got)
            _blend(got, across, down, size, out, U((sample * channels + channel) * size))


LARGEST_SIDE = 4096  # word indices stay far below 2³¹ and coordinates exact enough in float32


def check_images(images: U8Array) -> None:
    """Raise a UsageError unless `images` is uint8, (n, C, H, W) and of a size that the warp takes."""
    shape_fits = images.ndim == 4 and min(images.shape[1:]) >= 1 and max(images.shape[2:]) <= LARGEST_SIDE
    if images.dtype != np.uint8 or not shape_fits:
        raise UsageError(
            "images cannot be warped",
            expected=f"uint8 of shape (n, C, H, W), sides 1 to {LARGEST_SIDE}",
            got=f"{images.dtype} of shape {images.shape}",
        )


def check_rows(rows: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """The rows as a contiguous int64 array, if they are whole numbers in [0, count); else a UsageError."""
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        got = f"{rows.dtype} of shape {rows.shape}"
        raise UsageError("rows are not a list of numbers", expected="int64 of shape (n,)", got=got)
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        got = f"{rows.min()} to {rows.max()}"
        raise UsageError("a row is outside of the images", expected=f"0 to {count - 1}", got=got)
    return np.ascontiguousarray(rows, np.int64)


def warp(images: U8Array, rows: npt.NDArray[np.int64], matrices: npt.NDArray[np.float32]) -> U8Array:
    """The images at `rows`, each seen through its matrix: uint8 (len(rows), C, H, W).

    images: uint8 (n, C, H, W), C-contiguous, only read. rows: int64, values in [0, n). matrices: float32
    (len(rows), 6), see `pipeline.draw.Draws`. Outside of the source everything is 0.
    """
    check_images(images)
    _, channels, height, width = images.shape
    if matrices.shape != (len(rows), 6) or matrices.dtype != np.float32:
        expected, got = f"float32 of shape ({len(rows)}, 6)", f"{matrices.dtype} of shape {matrices.shape}"
        raise UsageError("matrices do not fit the rows", expected=expected, got=got)
    rows = check_rows(rows, len(images))
    out = np.empty((len(rows), channels, height, width), np.uint8)
    _warp(images.reshape(-1), channels, height, width, rows, np.ascontiguousarray(matrices), out.reshape(-1))
    return out
