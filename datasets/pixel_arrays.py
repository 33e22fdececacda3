"""Arrays of pixels as people have them, made uint8 (n, C, H, W): the order of their axes, and their range.

uint8 is taken as it is. What else a pixel's values are is never guessed: float, uint16 and others need the range
that stands for black and white, such as `0..1`. Then v becomes (v - LOW) · 255 / (HIGH - LOW), computed in float64 and
rounded half to even; a value outside of the range, or one that is no number, is an error that counts them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets.arrays import MAX_SIDE, U8Array
from millrace.errors import FormatError

AnyArray = npt.NDArray[Any]
MAX_CHANNELS = 8
LEAST_SIDE = 8  # an axis that is shorter is no side of an image, if another one can be
PIECE = 1 << 22  # values that are converted at a time
RANGES = {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255), "0..65535": (0, 65535)}  # that people use


def layout_of(shape: tuple[int, ...], what: str, layout: str | None = None) -> str:
    """The order of the axes of images of this shape, `hw`, `chw` or `hwc`: 1 to 8 channels, sides of 8 pixels or more.

    layout: `chw` or `hwc`, which decides where the shape leaves it open. FormatError where the shape is none of
    images, or fits two orders and nothing decides.
    """
    found = layouts(shape)
    if len(found) == 1:
        return found[0]
    if layout is not None and len(shape) == 4 and _possible(shape):
        return layout
    problem = "may have its channels first or last" if found else "is not a stack of images"
    choices = "layout: chw or layout: hwc, as a dataset file (YAML) can say" if found else None
    raise FormatError(
        f"{what} {problem}",
        expected=choices or f"(n, H, W), (n, C, H, W) or (n, H, W, C), C from 1 to {MAX_CHANNELS}",
        got=f"shape {shape}",
        do="write a dataset file, or save grey images as (n, H, W)" if found else _reshaped(shape),
    )


def _possible(shape: tuple[int, ...]) -> bool:
    return len(shape) in (3, 4) and all(0 < side <= MAX_SIDE for side in shape[1:])


def layouts(shape: tuple[int, ...]) -> list[str]:
    """The orders of axes, `hw`, `chw` or `hwc`, that images of this shape may have."""
    if not _possible(shape):
        return []
    if len(shape) == 3:
        return ["hw"]
    _, first, middle, last = shape
    sides = {"chw": (first, min(middle, last)), "hwc": (last, min(first, middle))}
    fits = [layout for layout, (channels, _) in sides.items() if channels <= MAX_CHANNELS]
    return [layout for layout in fits if sides[layout][1] >= LEAST_SIDE] or fits


def _reshaped(shape: tuple[int, ...]) -> str | None:
    """What to do with images that are rows of numbers."""
    if len(shape) != 2:
        return None
    for channels in (1, 3):
        side = math.isqrt(shape[1] // channels)
        if side > 1 and channels * side * side == shape[1]:
            return f"if each row is an image, save them reshaped to ({shape[0]}, {channels}, {side}, {side})"
    return None


def image_shape(shape: tuple[int, ...], layout: str) -> tuple[int, int, int]:
    """(C, H, W) of images of this shape in this layout."""
    if layout == "hw":
        return 1, shape[1], shape[2]
    return (shape[1], shape[2], shape[3]) if layout == "chw" else (shape[3], shape[1], shape[2])


class Pixels:
    """Images in any array, checked; converted when they are asked for.

    bounds: the values that become 0 and 255, which uint8 may do without. layout: as for `layout_of`. The array may be a
    map of a file larger than memory: it is looked through in pieces. FormatError as said above. shape: (n, C, H, W).
    """

    def __init__(
        self, array: AnyArray, what: str, *, bounds: tuple[float, float] | None = None, layout: str | None = None
    ) -> None:
        order = layout_of(array.shape, what, layout)
        self._array = (
            array[:, np.newaxis] if order == "hw" else array if order == "chw" else array.transpose(0, 3, 1, 2)
        )
        self.shape: tuple[int, ...] = self._array.shape
        self._bounds = bounds
        if array.dtype.kind not in "buif":
            got = f"{array.dtype} {array.shape}"
            raise FormatError(f"{what} is not an array of numbers", expected="uint8", got=got)
        if array.dtype != np.uint8 or bounds is not None:
            found = _found(self._array)
            if bounds is None:
                raise _no_range(what, array, found)
            _check_range(what, self._array, found, *bounds)

    def __getitem__(self, rows: "slice | npt.NDArray[np.int64]") -> U8Array:
        """Some rows as uint8 (n, C, H, W); a view where that is what the array holds."""
        chosen = self._array[rows]
        if self._bounds is None:
            return chosen
        low, high = self._bounds
        return np.rint((chosen.astype(np.float64) - low) * 255.0 / (high - low)).astype(np.uint8)

    def whole(self) -> U8Array:
        """All of them, C-contiguous; the array's own memory where it is that already."""
        if self._bounds is None:
            return np.ascontiguousarray(self._array)
        out = np.empty(self.shape, np.uint8)
        for rows in pieces(self.shape):
            out[rows] = self[rows]
        return out


def as_images(
    array: AnyArray, what: str, *, bounds: tuple[float, float] | None = None, layout: str | None = None
) -> U8Array:
    """The images uint8 (n, C, H, W), C-contiguous; the array's own memory where it is that already. See `Pixels`."""
    return Pixels(array, what, bounds=bounds, layout=layout).whole()


@dataclass(frozen=True)
class _Found:
    """What values there are: the least and the greatest finite one, and how many are not finite."""

    least: float
    greatest: float
    others: int


def _found(array: AnyArray) -> _Found:
    least, greatest, others = math.inf, -math.inf, 0
    for rows in pieces(array.shape):
        part = array[rows]
        if part.dtype.kind == "f":
            finite = np.isfinite(part)
            if not finite.all():
                others += int(part.size - finite.sum())
                part = part[finite]
        if part.size:
            least, greatest = min(least, float(part.min())), max(greatest, float(part.max()))
    return _Found(least, greatest, others)


def _no_range(what: str, array: AnyArray, found: _Found) -> FormatError:
    within = [text for text, (low, high) in RANGES.items() if low <= found.least and found.greatest <= high]
    if found.others:
        do = "replace what is no number first"
    elif within:
        do = f"say which `range` is meant; these would hold all values: {', '.join(within)}"
    else:
        do = "say `range=LOW..HIGH`: LOW becomes 0 and HIGH becomes 255"
    return FormatError(
        f"{what}: {array.dtype} pixels need a range", expected="uint8, or a stated range", got=_words(found), do=do
    )


def _check_range(what: str, array: AnyArray, found: _Found, low: float, high: float) -> None:
    if found.others:
        count = f"{found.others} of {array.size:,} values"
        raise FormatError(f"{what} holds what is no number (NaN or infinite)", expected=_range(low, high), got=count)
    if low <= found.least and found.greatest <= high:
        return
    outside = 0
    for rows in pieces(array.shape):
        part = array[rows].astype(np.float64)  # HIGH may be more than a float16 holds
        outside += int(np.count_nonzero((part < low) | (part > high)))
    got = f"{outside:,} of {array.size:,} values, {_words(found)}"
    raise FormatError(f"{what} has values outside of its range", expected=_range(low, high), got=got)


def _words(found: _Found) -> str:
    others = f", and {found.others:,} NaN or infinite" if found.others else ""
    return f"values from {found.least:g} to {found.greatest:g}{others}"


def _range(low: float, high: float) -> str:
    return f"values from {low:g} to {high:g}"


def pieces(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows that are worked on together, so that a map of a large file is never in memory as a whole."""
    rows = max(1, PIECE // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], rows):
        yield slice(start, start + rows)
