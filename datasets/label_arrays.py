"""Arrays of labels as people have them, made whole numbers from 0: any dtype, (n,), (n, 1), or one-hot (n, k).

Booleans are two classes. Floats are taken where all of them are whole, as files of tables often have them. A row of
one-hot labels is 1 in the column of its class and 0 elsewhere; soft labels and several classes at once are refused.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets.spec import MAX_CLASSES
from millrace.errors import FormatError
from millrace.labels import Labels, label_type

AnyArray = npt.NDArray[Any]


@dataclass(frozen=True)
class FoundLabels:
    """Labels int64 (n,) from 0, and how many classes there must be at least (one-hot labels say it themselves)."""

    values: npt.NDArray[np.int64]
    classes: int

    def narrowed(self, classes: int) -> Labels:
        """The labels as narrow as so many classes need; `classes` must be at least the field of that name."""
        return self.values.astype(label_type(classes))


def as_labels(array: AnyArray, what: str, labels_from: int = 0) -> FoundLabels:
    """The labels that an array holds; labels_from: the lowest label in it, which becomes 0.

    Errors: FormatError for other dtypes and shapes, for no labels at all, and for labels that are not whole, below
    `labels_from` or too many.
    """
    if array.dtype.kind not in "buif":
        raise FormatError(
            f"{what} is not an array of labels",
            expected="whole numbers",
            got=f"{array.dtype} of shape {array.shape}",
            do="number the classes; their names may stand in classes.txt" if array.dtype.kind in "USO" else None,
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or not array.size:
        raise FormatError(
            f"{what} is not a list of labels",
            expected="shape (n,), (n, 1), or one-hot (n, classes)",
            got=f"shape {array.shape}",
            do="are images and labels swapped?" if array.ndim in (3, 4) else None,
        )
    if array.ndim == 2:
        values, most = _one_hot(array, what), array.shape[1]
    else:
        values = _whole(array, what)
        most = int(values.max()) + 1
    lowest = int(values.min())
    if lowest < labels_from or most - labels_from > MAX_CLASSES:
        raise FormatError(
            f"{what} holds an impossible label",
            expected=f"{labels_from} to {labels_from + MAX_CLASSES - 1}",
            got=f"{lowest} to {most - 1}",
            do=f"say which label is the lowest: `labels_from={lowest}`"
            if labels_from and lowest < labels_from
            else None,
        )
    return FoundLabels(values - labels_from, most - labels_from)


def _whole(array: AnyArray, what: str) -> npt.NDArray[np.int64]:
    if array.dtype.kind == "f":
        array = array.astype(np.float64)  # a float16 cannot be compared with 2^53
        odd = ~(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2**53))
        if odd.any():
            row = int(odd.argmax())
            got = f"{array[row]} in row {row}, {int(odd.sum()):,} such"
            raise FormatError(f"{what} holds labels that are not whole", expected="whole numbers", got=got)
    elif array.dtype.kind == "u" and int(array.max()) >= 1 << 63:
        raise FormatError(f"{what} holds an impossible label", got=int(array.max()))
    return array.astype(np.int64)


def _one_hot(array: AnyArray, what: str) -> npt.NDArray[np.int64]:
    hot = array == 1
    fits = (hot | (array == 0)).all(axis=1) & (hot.sum(axis=1) == 1)
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise FormatError(
            f"{what} is not one-hot",
            expected="a single 1 in each row, else 0: one class for each image",
            got=f"{np.array2string(array[row], threshold=10)} in row {row}, {int((~fits).sum()):,} such",
        )
    return np.asarray(hot.argmax(axis=1), np.int64)
