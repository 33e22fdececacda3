"""A dataset as npz: the arrays train_images, train_labels, test_images and test_labels."""

from typing import IO

import numpy as np
import numpy.typing as npt

from millrace.datasets.arrays import MAX_SIDE, Arrays, U8Array
from millrace.datasets.spec import plausible
from millrace.errors import FormatError
from millrace.formats import npz

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def read_npz(file: IO[bytes], size: int, what: str, layout: str) -> Arrays:
    """The four arrays of an open npz file of `size` bytes: images uint8 (n, C, H, W), labels uint8 (n,).

    Images are stored as uint8 (n, H, W), or with four axes in the order of `layout`, `chw` or `hwc`;
    labels as whole numbers of any type. FormatError for anything else.
    """
    arrays = npz.read(file, NAMES, what, plausible(size), npz.WHOLE)
    return Arrays(
        _images(arrays["train_images"], f"{what}: train_images", layout),
        _labels(arrays["train_labels"], f"{what}: train_labels"),
        _images(arrays["test_images"], f"{what}: test_images", layout),
        _labels(arrays["test_labels"], f"{what}: test_labels"),
    )


def _images(array: npt.NDArray[np.generic], what: str, layout: str) -> U8Array:
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or not all(0 < s <= MAX_SIDE for s in array.shape[1:]):
        raise FormatError(
            f"{what} is not a stack of images",
            expected=f"uint8 of shape (n, H, W) or (n, {', '.join(layout.upper())})",
            got=f"{array.dtype} of shape {array.shape}",
        )
    if array.ndim == 3:
        array = array[:, np.newaxis]
    elif layout == "hwc":
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(array, np.uint8)


def _labels(array: npt.NDArray[np.generic], what: str) -> U8Array:
    if array.ndim != 1 or not array.size:
        raise FormatError(f"{what} is not a list of labels", expected="shape (n,)", got=f"shape {array.shape}")
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest > 255:
        raise FormatError(f"{what} holds an impossible label", expected="0 to 255", got=f"{lowest} to {highest}")
    return np.ascontiguousarray(array.astype(np.uint8))
