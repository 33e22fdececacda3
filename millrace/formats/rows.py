"""Rows: consecutive samples of an export as arrays, whatever format they were written in or read from."""

import hashlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.labels import Labels

SPLITS = ("train", "validation", "test")  # the position is the number that draws use: see `counters.lane`
# The drawn parameters of a row, in the order of the columns. The last one is 0 or 1, the others are real numbers.
PARAMETERS = ("dx", "dy", "angle", "scale_x", "scale_y", "shear", "flip")
BITS = "flip"


class Rows(NamedTuple):
    """n samples in stream order.

    images: uint8 (n, C, H, W). labels: uint8 (n,), uint16 of more than 256 classes. samples: int64 (n,), rows of the
    dataset's table. epochs: int32 (n,), from 0. parameters: float32 (n, 7), columns as PARAMETERS. originals: the
    untouched images, as `images`.
    """

    images: npt.NDArray[np.uint8]
    labels: Labels
    samples: npt.NDArray[np.int64]
    epochs: npt.NDArray[np.int32]
    parameters: npt.NDArray[np.float32]
    originals: npt.NDArray[np.uint8] | None = None

    def part(self, first: int, last: int) -> "Rows":
        """Rows [first, last), without a copy."""
        return Rows(*(None if column is None else column[first:last] for column in self))  # type: ignore[arg-type]

    @property
    def nbytes(self) -> int:
        """The memory that the arrays take."""
        return sum(column.nbytes for column in self if column is not None)


def joined(parts: list[Rows]) -> Rows:
    """Rows one after the other."""
    if len(parts) == 1:
        return parts[0]
    originals = [part.originals for part in parts if part.originals is not None]
    return Rows(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.epochs for part in parts]),
        np.concatenate([part.parameters for part in parts]),
        np.concatenate(originals) if originals else None,
    )


def pixel_digest(images: npt.NDArray[np.uint8]) -> str:
    """Hexadecimal sha256 over the pixels, (n, C, H, W) in C order: the same for every format."""
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
