"""A decoded dataset in memory: four arrays that fit each other, and the digest of their content."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millrace.datasets.spec import DatasetSpec
from millrace.errors import FormatError
from millrace.labels import Labels, narrowed

U8Array = npt.NDArray[np.uint8]
MAX_SIDE = 1 << 15


@dataclass(frozen=True)
class Arrays:
    """Images uint8 (n, C, H, W) and labels (n,), uint8 or uint16, of both splits, C-contiguous; a dataset without a
    test split has one of no rows."""

    train_images: U8Array
    train_labels: Labels
    test_images: U8Array
    test_labels: Labels

    @classmethod
    def untested(cls, images: U8Array, labels: Labels) -> "Arrays":
        """Arrays to train on, and a test split of no rows."""
        return cls(images, labels, images[:0], labels[:0])

    def splits(self) -> tuple[tuple[str, U8Array, Labels], ...]:
        """(name, images, labels) of `train` and `test`."""
        return (
            ("train", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        )


def checked(arrays: Arrays, spec: DatasetSpec) -> Arrays:
    """The arrays themselves if they fit each other and the dataset; else a FormatError."""
    for split, images, labels in arrays.splits():
        what = f"dataset {spec.name}, split {split}"
        empty = not len(images) and (split == "train" or spec.tested)
        if empty or len(images) != len(labels):
            raise FormatError(
                f"{what}: images and labels do not fit",
                expected="as many labels as images, at least one",
                got=f"{len(images)} images, {len(labels)} labels",
            )
        if spec.shape is not None and images.shape[1:] != spec.shape:
            raise FormatError(f"{what}: images of the wrong shape", expected=spec.shape, got=tuple(images.shape[1:]))
        narrowed(labels, len(spec.classes), what)
    if arrays.train_images.shape[1:] != arrays.test_images.shape[1:]:
        raise FormatError(
            f"dataset {spec.name}: training and test images differ in shape",
            expected=tuple(arrays.train_images.shape[1:]),
            got=tuple(arrays.test_images.shape[1:]),
        )
    return arrays


def content_digest(arrays: Arrays, classes: tuple[str, ...]) -> str:
    """Hexadecimal sha256 over classes, shapes, labels and pixels: the same wherever the data came from."""
    total = hashlib.sha256()
    shapes = [list(images.shape) for _, images, _ in arrays.splits()]
    total.update(json.dumps([list(classes), shapes], separators=(",", ":")).encode() + b"\n")
    for _, images, labels in arrays.splits():
        total.update(np.ascontiguousarray(images).data)
        total.update(np.ascontiguousarray(labels).data)
    return total.hexdigest()
