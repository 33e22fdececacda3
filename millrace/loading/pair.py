"""Images and labels that are arrays in memory, as a dataset."""

from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets import Arrays, Dataset, DatasetSpec, Reading, as_images, as_labels, in_memory, layouts
from millrace.errors import FormatError, UsageError

ARRAYS = "arrays"  # the name of a dataset that was given as arrays
READ = ("range", "labels_from")  # what of a reading has a meaning for arrays


def dataset_of(images: Any, labels: Any, split: str, reading: Reading) -> Dataset:
    """The arrays as that split of a dataset, whose other split is empty; images are not copied where they are uint8
    (n, C, H, W) or (n, H, W) and contiguous.

    Errors: UsageError for what `datasets.as_images` and `datasets.as_labels` refuse, and for arrays that do not fit.
    """
    if other := [name for name in reading.given if name not in READ]:
        raise UsageError("arrays are taken as they are", expected=f"{' and '.join(READ)} alone", got=", ".join(other))
    pixels, marks = _array("images", images), _array("labels", labels)
    if not pixels.size:
        raise UsageError("these images cannot be streamed", expected="at least one image", got=f"shape {pixels.shape}")
    if pixels.ndim and marks.ndim and len(pixels) != len(marks):
        got = f"{len(pixels)} images, {len(marks)} labels"
        raise UsageError("images and labels do not fit", expected="as many labels as images", got=got)
    try:
        made = as_images(pixels, "the array of images", bounds=reading.bounds, layout=_layout(pixels.shape))
        found = as_labels(marks, "the array of labels", reading.labels_from)
    except FormatError as error:
        raise UsageError(error.what, expected=error.expected, got=error.got, do=error.do) from None
    classes = tuple(map(str, range(max(found.classes, 2))))
    shape = (made.shape[1], made.shape[2], made.shape[3])
    spec = DatasetSpec(ARRAYS, "arrays in memory", "embedded", classes, shape=shape)
    rows, nothing = (made, found.narrowed(len(classes))), (made[:0], found.narrowed(len(classes))[:0])
    return in_memory(Arrays(*nothing, *rows) if split == "test" else Arrays(*rows, *nothing), spec)


def _array(name: str, given: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of unequal length; a tensor on a device or with grad
        raise UsageError(f"these {name} are no array", expected="a NumPy array", got=str(error)) from error


def _layout(shape: tuple[int, ...]) -> str:
    """What decides where the shape leaves the order open: channels come first, unless they were many and last few."""
    last = len(layouts(shape)) > 1 and shape[3] in (1, 3, 4) and shape[1] > 4
    return "hwc" if last else "chw"
