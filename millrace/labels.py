"""Labels: the number of each sample's class, in the narrowest whole numbers that hold all classes of a dataset."""

from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.errors import FormatError, UsageError

MOST = 1 << 16  # classes that labels can tell apart

Labels = npt.NDArray[np.uint8 | np.uint16]


def label_type(classes: int) -> "np.dtype[np.uint8 | np.uint16]":
    """The type of the labels of so many classes: uint8 up to 256, else uint16. UsageError above MOST."""
    if classes > MOST:
        raise UsageError("too many classes", expected=f"at most {MOST}", got=classes)
    return np.dtype(np.uint8 if classes <= 1 << 8 else np.uint16)


def narrowed(values: npt.NDArray[Any], classes: int, what: str) -> Labels:
    """Whole numbers (n,) as labels of so many classes, C-contiguous, copied only where type or order differ.

    FormatError naming `what` for a number that is no class, before a narrower type could hide it."""
    if len(values) and (int(values.min()) < 0 or int(values.max()) >= classes):
        at = int(values.argmin()) if int(values.min()) < 0 else int(values.argmax())
        raise FormatError(
            f"{what}: a label has no class",
            expected=f"0 to {classes - 1} ({classes} classes)",
            got=f"{int(values[at])} in row {at}",
        )
    return np.ascontiguousarray(values, label_type(classes))
