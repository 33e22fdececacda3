"""The warp with a displacement field: each pixel's source is moved by a spline before the one bilinear resampling.

As `pipeline.warp`, and equal to `pipeline.reference.bend` in every bit.
"""

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, I64, U8, U32, In, In2, Out, device, kernel
from millrace.errors import UsageError
from millrace.pipeline.elastic import F32Array, spline
from millrace.pipeline.visited import U8Array
from millrace.pipeline.warp import VECTOR, U, _blend, _frame, _gather, _pack, check_images, check_rows


@device
def _lines(controls: In[F32], begin: U, side: int, basis: In[F32], room: int, lines: Out[F32]) -> None:
    """Every row of control points, along x: lines[r, x] = Σ basis[k, x] · controls[r, k], k rising."""
    for row in range(side):
        target = U(row * room)
        for k in range(side):
            value = controls[begin + U(row * side + k)]
            source = U(k * room)
            if k == 0:
                for x in range(room):
                    lines[target + U(x)] = basis[source + U(x)] * value
            else:
                for x in range(room):
                    lines[target + U(x)] += basis[source + U(x)] * value


@device
def _locate(
    matrix: In[F32],
    height: int,
    width: int,
    ramp: In[F32],
    across_lines: In[F32],
    down_lines: In[F32],
    weights: In2[F32],
    first: In[I64],
    room: int,
    index: Out[U32],
    across: Out[F32],
    down: Out[F32],
) -> None:
    """Word index and weights of each output pixel, as in the warp, with the field added to the source."""
    zero, right, bottom = np.float32(0), np.float32(width + 1), np.float32(height + 1)
    one, pitch = np.float32(1), np.int32(width + 2)
    for y in range(height):
        row_x = (matrix[1] * ramp[U(y)] + matrix[2]) + one
        row_y = (matrix[4] * ramp[U(y)] + matrix[5]) + one
        a, b, c, d = weights[U(y), U(0)], weights[U(y), U(1)], weights[U(y), U(2)], weights[U(y), U(3)]
        p, q = U(first[U(y)] * room), U((first[U(y)] + 1) * room)
        r, s = U((first[U(y)] + 2) * room), U((first[U(y)] + 3) * room)
        begin = U(y * width)
        for x in range(room):
            n = U(x)
            move_x = (
                a * across_lines[p + n] + b * across_lines[q + n] + c * across_lines[r + n] + d * across_lines[s + n]
            )
            move_y = a * down_lines[p + n] + b * down_lines[q + n] + c * down_lines[r + n] + d * down_lines[s + n]
            source_x = (matrix[0] * ramp[n] + row_x) + move_x
            source_x = source_x if source_x > zero else zero
            source_x = source_x if source_x < right else right
            source_y = (matrix[3] * ramp[n] + row_y) + move_y
            source_y = source_y if source_y > zero else zero
            source_y = source_y if source_y < bottom else bottom
            left, top = np.int32(source_x), np.int32(source_y)
            index[begin + n] = np.uint32(top * pitch + left)
            across[begin + n] = source_x - np.float32(left)
            down[begin + n] = source_y - np.float32(top)


@kernel
def _bend(
    pixels: In[U8],
    channels: int,
    height: int,
    width: int,
    rows: In[I64],
    matrices: In2[F32],
    controls: In[F32],
    basis: In[F32],
    weights: In2[F32],
    first: In[I64],
    side: int,
    out: Out[U8],
) -> None:
    size, pitch, room = height * width, width + 2, -(-width // VECTOR) * VECTOR
    framed = np.zeros((height + 3) * pitch + 1, np.uint8)
    words = np.empty((height + 2) * pitch, np.uint32)
    index = np.zeros(size + VECTOR, np.uint32)
    across, down = np.empty(size + VECTOR, np.float32), np.empty(size + VECTOR, np.float32)
    got = np.empty((size + 1) // 2, np.uint64)
    ramp = np.arange(max(height, width) + VECTOR).astype(np.float32)
    in_x, in_y = np.empty(side * room, np.float32), np.empty(side * room, np.float32)
    for sample in range(rows.shape[0]):
        begin = U(2 * sample * side * side)
        _lines(controls, begin, side, basis, room, in_x)
        _lines(controls, begin + U(side * side), side, basis, room, in_y)
        _locate(matrices[sample], height, width, ramp, in_x, in_y, weights, first, room, index, across, down)
        for channel in range(channels):
            _frame(pixels, U((rows[sample] * channels + channel) * size), height, width, framed)
            _pack(framed, (height + 2) * pitch, pitch, words.view(np.uint8))
            _gather(words, index, (size + 1) // 2, got)
            _blend(got.view(np.uint32), across, down, size, out, U((sample * channels + channel) * size))


def bend(images: U8Array, rows: npt.NDArray[np.int64], matrices: F32Array, controls: F32Array) -> U8Array:
    """The images at `rows`, each seen through its matrix and its field: uint8 (len(rows), C, H, W).

    images, rows, matrices: as for `pipeline.warp.warp`. controls: float32 (len(rows), 2, k, k), k from 4, see
    `pipeline.elastic.controls`. The source of an output pixel is the matrix's plus the spline's move there, in pixels.
    """
    check_images(images)
    _, channels, height, width = images.shape
    side = controls.shape[-1]
    shapes = (len(rows), 6), (len(rows), 2, side, side)
    if (matrices.shape, controls.shape) != shapes or side < 4 or matrices.dtype != np.float32 != controls.dtype:
        got = f"{matrices.dtype} {matrices.shape}, {controls.dtype} {controls.shape}"
        raise UsageError("matrices or control points do not fit the rows", expected=f"float32 {shapes}", got=got)
    rows = check_rows(rows, len(images))
    out = np.empty((len(rows), channels, height, width), np.uint8)
    along, upright = spline(width, side - 3), spline(height, side - 3)
    basis = along.spread(side - 3, -(-width // VECTOR) * VECTOR).reshape(-1)
    points = np.ascontiguousarray(controls, np.float32).reshape(-1)
    numbers = np.ascontiguousarray(matrices), points, basis, *upright, side
    _bend(images.reshape(-1), channels, height, width, rows, *numbers, out.reshape(-1))
    return out
