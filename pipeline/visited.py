"""Rows of a stream, as arrays, whoever made them: this file needs NumPy alone."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

U8Array = npt.NDArray[np.uint8]
F32Array = npt.NDArray[np.float32]

# The columns of a parameter row. Append only.
PARAMETER_NAMES = ("dx", "dy", "angle", "scale_x", "scale_y", "shear", "flip")


class Visited(NamedTuple):
    """Consecutive samples of an epoch: ids int64 (n,), labels (n,), uint8 or uint16, pixels uint8 (n, C, H, W),
    drawn parameters float32 (n, 7), columns as PARAMETER_NAMES. drawn: when order and draws were done and the pixels
    begun, in seconds of `time.perf_counter`; 0 where nothing was drawn here."""

    samples: npt.NDArray[np.int64]
    labels: npt.NDArray[np.uint8 | np.uint16]
    pixels: U8Array
    parameters: F32Array
    drawn: float = 0.0
