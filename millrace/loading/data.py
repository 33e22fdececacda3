"""What may be streamed: the name of a dataset, a path, a pair of arrays or a dataset that is open."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.arguments import path_text
from millrace.datasets import MAX_CLASSES, Arrays, Dataset, DatasetSpec, Reading, find, in_memory, load
from millrace.errors import UsageError, unknown_name
from millrace.labels import Labels, label_type
from millrace.pipeline import Policy, from_mapping, preset
from millrace.values import convert, from_text

ARRAYS = "arrays"  # the name of a dataset that was given as arrays
AUTO = "auto"


def opened(
    data: Any,
    split: str,
    *,
    mirror: str | None,
    offline: bool | None,
    cache: str | Path | None,
    reading: Mapping[str, Any] = MappingProxyType({}),
) -> Dataset:
    """The dataset that `data` stands for: a name, a path, (images, labels) or a Dataset. What is None is as
    MILLRACE_MIRROR and MILLRACE_OFFLINE say, if they do. reading: fields of a `Reading`, for paths.

    Errors: UsageError for what is none of these, and what `datasets.find` and `datasets.load` raise.
    """
    for key in reading:
        if key not in Reading.__dataclass_fields__:
            raise unknown_name("argument of a stream", key, Reading.__dataclass_fields__)
    asked = Reading(**reading)
    if asked != Reading() and not isinstance(data, (str, os.PathLike)):
        raise UsageError("only files of one's own are read in ways to choose", got=", ".join(reading))
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (str, os.PathLike)):
        found = find(os.fspath(data), asked)
        mirror = convert(str | None, mirror, "mirror") or from_text(
            str | None, os.environ.get("MILLRACE_MIRROR", ""), "MILLRACE_MIRROR"
        )
        if offline is None:
            offline = from_text(bool, os.environ.get("MILLRACE_OFFLINE") or "false", "MILLRACE_OFFLINE")
        return load(
            found, mirror=mirror, offline=offline, cache=None if cache is None else Path(path_text("cache", cache))
        )
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return _of_arrays(_images(data[0]), _labels(data[1]), split)
    raise UsageError(
        "this cannot be streamed",
        expected="the name of a dataset, a path, (images, labels) as arrays, or a Dataset",
        got=type(data).__name__,
    )


def _array(name: str, given: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of unequal length; a tensor on a device or with grad
        raise UsageError(f"these {name} are no array", expected="a NumPy array", got=str(error)) from error


def _images(given: Any) -> npt.NDArray[np.uint8]:
    images = _array("images", given)
    if images.ndim == 3:
        images = images[:, np.newaxis]
    if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
        raise UsageError(
            "these images cannot be streamed",
            expected="uint8 of shape (n, C, H, W) or (n, H, W), at least one image",
            got=f"{images.dtype} of shape {np.shape(given)}",
            do=None if images.dtype == np.uint8 else "give brightness 0 to 255 as uint8; floats are made on delivery",
        )
    if images.shape[3] in (1, 3, 4) and images.shape[1] > 4:
        raise UsageError(
            "these images seem to have their channels last",
            expected="(n, C, H, W)",
            got=images.shape,
            do="give images.transpose(0, 3, 1, 2)",
        )
    return np.ascontiguousarray(images)


def _labels(given: Any) -> Labels:
    labels = _array("labels", given)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        got = f"{labels.dtype} of shape {labels.shape}"
        raise UsageError("these labels cannot be streamed", expected="whole numbers of shape (n,)", got=got)
    if labels.size and (labels.min() < 0 or labels.max() >= MAX_CLASSES):
        got = f"{labels.min()} to {labels.max()}"
        raise UsageError("a label is out of range", expected=f"0 to {MAX_CLASSES - 1}", got=got)
    classes = int(labels.max(initial=0)) + 1
    return np.ascontiguousarray(labels, label_type(classes))


def _of_arrays(images: npt.NDArray[np.uint8], labels: Labels, split: str) -> Dataset:
    """The arrays as that split of a dataset, whose other split is empty; not copied where they are contiguous."""
    if len(images) != len(labels):
        got = f"{len(images)} images, {len(labels)} labels"
        raise UsageError("images and labels do not fit", expected="as many labels as images", got=got)
    classes = tuple(str(number) for number in range(max(int(labels.max()) + 1, 2)))
    shape = (images.shape[1], images.shape[2], images.shape[3])
    spec = DatasetSpec(ARRAYS, "arrays in memory", "embedded", classes, shape=shape)
    nothing = np.empty((0, *shape), np.uint8), np.empty(0, np.uint8)
    made = Arrays(*nothing, images, labels) if split == "test" else Arrays(images, labels, *nothing)
    return in_memory(made, spec)


def policy_of(given: Any, dataset: Dataset, split: str) -> Policy:
    """The policy that is meant by a name, a mapping or a Policy; `auto` is the dataset's own for the training split,
    none for the others."""
    if isinstance(given, Policy):
        return given
    if isinstance(given, Mapping):
        return from_mapping(given)
    if not isinstance(given, str):
        raise UsageError("this is no policy", expected="a name, a Policy, or a mapping of its fields", got=repr(given))
    if given == AUTO:
        return preset(dataset.spec.policy if split == "train" else "none")
    return preset(given)
