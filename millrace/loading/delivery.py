"""How rows are delivered: which columns, in which layout, as bytes or as normalised floats."""

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace import pipeline
from millrace.arguments import wrong_type
from millrace.errors import UsageError, unknown_name
from millrace.loading.shares import Statistics
from millrace.pipeline import PARAMETER_NAMES, F32Array, U8Array, Visited, channels_last, plain_normalised

COLUMNS = ("image", "label", "sample", "weight", *PARAMETER_NAMES)
LAYOUTS = ("NCHW", "NHWC")
NORMALIZATIONS = ("standard", "unit", "none")


def one_of(kind: str, value: Any, known: Sequence[str]) -> str:
    """The value, if it is one of the names; else a UsageError with the nearest."""
    if value not in known:
        raise unknown_name(kind, str(value), known)
    return str(value)


def dtype_name(given: Any) -> str:
    """The name of a NumPy dtype that is given by its name, its type or itself; what is none keeps its own text."""
    try:
        return str(np.dtype(given).name)
    except TypeError:
        return str(given)


def columns_of(given: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns, if all are known and there is at least one."""
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else None
    if names is None:
        raise wrong_type("columns", given, f"names: {', '.join(COLUMNS)}")
    if not names:
        raise UsageError("no column is asked for", expected=", ".join(COLUMNS), got="none")
    return tuple(one_of("column", name, COLUMNS) for name in names)


@dataclass(frozen=True)
class Scaling:
    """(x − shift) · factor for each channel: float32 (C,) both, over pixels 0 to 255."""

    shift: F32Array
    factor: F32Array

    @classmethod
    def of(cls, mean: Sequence[float], std: Sequence[float]) -> "Scaling":
        """From mean and deviation in units of full brightness."""
        return cls(
            np.array([255.0 * m for m in mean], np.float32), np.array([1 / (255.0 * s) for s in std], np.float32)
        )


def scaling(normalize: str, mean: Any, std: Any, channels: int, statistics: Any) -> Scaling:
    """The scaling that is asked for. statistics: a function that gives the training pixels' mean and deviation.

    standard: mean 0 and deviation 1 over the training pixels; unit: 0 to 1; none: 0 to 255. mean, std: a number, or one
    for each channel, in units of full brightness, in place of these.
    """
    if mean is None or std is None:
        known: Statistics = statistics() if normalize == "standard" else ((0.0,), (1.0,))
        if normalize == "none" and std is None:
            known = known[0], (1 / 255,)
        mean, std = known[0] if mean is None else mean, known[1] if std is None else std
    shifts, widths = _per_channel("mean", mean, channels), _per_channel("std", std, channels)
    if not all(width > 0 for width in widths):
        raise UsageError("std is out of range", expected="numbers above 0", got=widths)
    return Scaling.of(shifts, widths)


def _per_channel(name: str, given: Any, channels: int) -> tuple[float, ...]:
    try:
        values = np.asarray(given, np.float64).reshape(-1)
    except (TypeError, ValueError):
        values = np.empty(0)
    if len(values) == 1:
        values = np.repeat(values, channels)
    if len(values) != channels or not all(math.isfinite(value) for value in values):
        expected = f"a finite number, or one for each of {channels} channels"
        raise UsageError(f"{name} does not fit the images", expected=expected, got=repr(given))
    return tuple(values.tolist())


@dataclass(frozen=True)
class Delivery:
    """Turns rows into arrays. Every array has memory of its own, is writable and stays as it is.

    scaling: None delivers uint8. labels: the integer type of labels. as_bytes: uint8 all the same; the taker scales.
    """

    columns: tuple[str, ...]
    layout: str
    scaling: Scaling | None
    labels: Any
    as_bytes: bool = False

    def arrays(self, rows: Visited, weight: float) -> tuple[npt.NDArray[Any], ...]:
        """The columns asked for, in that order; `weight` is what each row counts."""
        return tuple(self._column(name, rows, weight) for name in self.columns)

    def _column(self, name: str, rows: Visited, weight: float) -> npt.NDArray[Any]:
        if name == "image":
            return self._image(rows.pixels)
        if name == "label":
            return rows.labels.astype(self.labels)
        if name == "sample":
            return _own(rows.samples)
        if name == "weight":
            return np.full(len(rows.samples), weight, np.float32)
        drawn = _own(np.ascontiguousarray(rows.parameters[:, PARAMETER_NAMES.index(name)]))
        return drawn != 0 if name == "flip" else drawn

    def _image(self, pixels: U8Array) -> npt.NDArray[Any]:
        if self.scaling is not None and not self.as_bytes:
            last = self.layout == "NHWC"
            return _normaliser()(pixels, self.scaling.shift, self.scaling.factor, interleaved=last)
        return _own(pixels if self.layout == "NCHW" else channels_last(pixels))

    def row_bytes(self, shape: tuple[int, int, int]) -> int:
        """The bytes of a delivered row, about: for the bound on reading ahead."""
        return math.prod(shape) * (1 if self.scaling is None or self.as_bytes else 5) + 64


def _normaliser() -> Callable[..., F32Array]:
    """The compiled kernel where this process compiles, as whoever makes batches does; else its twin, equal bit for bit:
    who has them from a server needs no numba, and waits for no import of it."""
    return pipeline.normalised if "millrace.compiled" in sys.modules else plain_normalised


def _own(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array, or a copy of it where it shows memory that must not be written to (rows of an export)."""
    return array if array.flags.writeable else array.copy()
