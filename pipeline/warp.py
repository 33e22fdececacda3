"""The warp: one bilinear resampling of a whole batch, uint8 in, uint8 out.

It is what `scipy.ndimage.affine_transform(order=1, mode="grid-constant", cval=0)` defines, in float32 and rounded half
to even; `pipeline.reference` says the same in plain NumPy, and both agree in every bit.

How it is quick: each source plane is packed once so that one 32-bit word holds the 2×2 neighbourhood of a place; one
load then fetches all four pixels. Coordinates do not depend on the channel and are computed once per sample. The
loops with arithmetic have no scattered access and so become vector code; the loop with scattered access has no
arithmetic. Indices are unsigned: numba would otherwise test each for a negative value. Bytes and halves of words are
put together through views of the same memory, lowest first, as on all machines that numba knows.
"""

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, I64, U8, U32, U64, In, In2, Out, device, kernel
from millrace.errors import UsageError
from millrace.pipeline.visited import U8Array

U = np.uint64
VECTOR = 16  # float32 numbers in the widest registers


@device
def _locate(
    matrix: In[F32], height: int, width: int, ramp: In[F32], index: Out[U32], across: Out[F32], down: Out[F32]
) -> None:
    """Word index and weights of each output pixel. Coordinates are shifted by one for the frame of zeros.

    Rows are computed in whole vectors: what runs over a row's end is overwritten by the next row.
    """
    zero, right, bottom = np.float32(0), np.float32(width + 1), np.float32(height + 1)
    one = np.float32(1)
    pitch = np.int32(width + 2)
    for y in range(height):
        row_x = (matrix[1] * ramp[U(y)] + matrix[2]) + one
        row_y = (matrix[4] * ramp[U(y)] + matrix[5]) + one
        begin = U(y * width)
        for x in range(-(-width // VECTOR) * VECTOR):
            source_x = matrix[0] * ramp[U(x)] + row_x
            source_x = source_x if source_x > zero else zero
            source_x = source_x if source_x < right else right
            source_y = matrix[3] * ramp[U(x)] + row_y
            source_y = source_y if source_y > zero else zero
            source_y = source_y if source_y < bottom else bottom
            left, top = np.int32(source_x), np.int32(source_y)
            index[begin + U(x)] = np.uint32(top * pitch + left)
            across[begin + U(x)] = source_x - np.float32(left)
            down[begin + U(x)] = source_y - np.float32(top)


@device
def _frame(pixels: In[U8], begin: U, height: int, width: int, framed: Out[U8]) -> None:
    """One plane into its frame. A row's right frame is the next row's left one."""
    for y in range(height):
        source, target = begin + U(y * width), U((y + 1) * (width + 2) + 1)
        whole = width - width % 4
        for x in range(0, whole, 4):
            # Four at a time become one move, also at the end of a row that is no multiple of a vector.
            a, b = pixels[source + U(x)], pixels[source + U(x + 1)]
            c, d = pixels[source + U(x + 2)], pixels[source + U(x + 3)]
            framed[target + U(x)], framed[target + U(x + 1)] = a, b
            framed[target + U(x + 2)], framed[target + U(x + 3)] = c, d
        for x in range(whole, width):
            framed[target + U(x)] = pixels[source + U(x)]


@device
def _pack(framed: In[U8], count: int, pitch: int, words: Out[U8]) -> None:
    """Words of four neighbours, as their bytes: upper left, upper right, lower left, lower right."""
    for place in range(count):
        upper, lower, word = U(place), U(place + pitch), U(4 * place)
        a, b, c, d = framed[upper], framed[upper + U(1)], framed[lower], framed[lower + U(1)]
        words[word], words[word + U(1)], words[word + U(2)], words[word + U(3)] = a, b, c, d


@device
def _gather(words: In[U32], index: In[U32], pairs: int, got: Out[U64]) -> None:
    """The words at the indices, two of them in one store."""
    for pair in range(pairs):
        first, second = words[U(index[U(2 * pair)])], words[U(index[U(2 * pair + 1)])]
        got[U(pair)] = U(first) | (U(second) << U(32))


@device
def _blend(got: In[U32], across: In[F32], down: In[F32], size: int, out: Out[U8], begin: U) -> None:
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


@kernel
def _warp(
    pixels: In[U8], channels: int, height: int, width: int, rows: In[I64], matrices: In2[F32], out: Out[U8]
) -> None:
    size, pitch = height * width, width + 2
    # One byte more: the last word reads beyond its row.
    framed = np.zeros((height + 3) * pitch + 1, np.uint8)
    words = np.empty((height + 2) * pitch, np.uint32)
    # Room for what runs over the last row, and for the second of the last pair.
    index = np.zeros(size + VECTOR, np.uint32)
    across, down = np.empty(size + VECTOR, np.float32), np.empty(size + VECTOR, np.float32)
    got = np.empty((size + 1) // 2, np.uint64)
    ramp = np.arange(max(height, width) + VECTOR).astype(np.float32)
    for sample in range(rows.shape[0]):
        _locate(matrices[sample], height, width, ramp, index, across, down)
        for channel in range(channels):
            _frame(pixels, U((rows[sample] * channels + channel) * size), height, width, framed)
            _pack(framed, (height + 2) * pitch, pitch, words.view(np.uint8))
            _gather(words, index, (size + 1) // 2, got)
            _blend(got.view(np.uint32), across, down, size, out, U((sample * channels + channel) * size))


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


def warp(
    images: U8Array, rows: npt.NDArray[np.int64], matrices: npt.NDArray[np.float32], out: U8Array | None = None
) -> U8Array:
    """The images at `rows`, each seen through its matrix: uint8 (len(rows), C, H, W).

    images: uint8 (n, C, H, W), C-contiguous, only read. rows: int64, values in [0, n). matrices: float32
    (len(rows), 6), see `pipeline.draw.Draws`. Outside of the source everything is 0. out: where to write, C-contiguous
    and of the result's shape; new memory where None.
    """
    check_images(images)
    _, channels, height, width = images.shape
    if matrices.shape != (len(rows), 6) or matrices.dtype != np.float32:
        expected, got = f"float32 of shape ({len(rows)}, 6)", f"{matrices.dtype} of shape {matrices.shape}"
        raise UsageError("matrices do not fit the rows", expected=expected, got=got)
    rows = check_rows(rows, len(images))
    out = _room((len(rows), channels, height, width), out)
    _warp(images.reshape(-1), channels, height, width, rows, np.ascontiguousarray(matrices), out.reshape(-1))
    return out


def _room(shape: tuple[int, int, int, int], given: U8Array | None) -> U8Array:
    if given is None:
        return np.empty(shape, np.uint8)
    if given.shape != shape or given.dtype != np.uint8 or not given.flags.c_contiguous:
        got = f"{given.dtype} of shape {given.shape}"
        raise UsageError("no room for the result", expected=f"uint8 of shape {shape}, contiguous", got=got)
    return given
