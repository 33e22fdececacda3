"""SVHN's cropped digits: a MATLAB 5 file with `X`, uint8 (32, 32, 3, n), and `y`, (n, 1), in which 10 stands for 0.

Source: http://ufldl.stanford.edu/housenumbers/, "Format 2". scipy.io reads the file, and must be given bytes that were
verified: its reader does not survive all damage (seen with scipy 1.17: a segmentation fault).
"""

import io
import warnings
from typing import Any

import numpy as np

from millrace.datasets.arrays import U8Array
from millrace.errors import FormatError
from millrace.extras import missing_extra


def read_mat(data: bytes | bytearray, what: str) -> tuple[U8Array, U8Array]:
    """Images uint8 (n, C, H, W) and labels uint8 (n,) from 0 to 9. Errors: FormatError; MissingExtra without scipy."""
    try:
        from scipy.io import loadmat  # takes its time to import
    except ImportError:
        raise missing_extra("scipy") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            file: Any = io.BytesIO(data)
            found = loadmat(file, variable_names=("X", "y"))
    except Exception as error:  # of many kinds, for damage
        raise FormatError(f"{what} is not a MATLAB 5 file", got=f"{type(error).__name__}: {error}"[:200]) from None
    images, labels = (np.asarray(found.get(name, ())) for name in ("X", "y"))
    if images.dtype != np.uint8 or images.ndim != 4 or labels.dtype != np.uint8 or labels.shape != (images.shape[3], 1):
        raise FormatError(
            f"{what} does not hold SVHN's cropped digits",
            expected="X, uint8 (H, W, C, n), and y, uint8 (n, 1)",
            got=f"X {images.dtype} {images.shape}, y {labels.dtype} {labels.shape}",
        )
    if labels.size and not 1 <= int(labels.min()) <= int(labels.max()) <= 10:
        raise FormatError(f"{what} holds an impossible label", expected="1 to 10", got=sorted(set(labels.ravel()))[:12])
    return np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels[:, 0] % 10
