"""A dataset as npz: the arrays train_images, train_labels, test_images and test_labels."""

from typing import IO

from millrace.datasets.arrays import Arrays
from millrace.datasets.importers.options import Reading
from millrace.datasets.label_arrays import as_labels
from millrace.datasets.pixel_arrays import as_images
from millrace.datasets.spec import plausible
from millrace.formats import npy_file, npz

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def read_npz(file: IO[bytes], size: int, what: str, layout: str, reading: Reading, classes: int = 0) -> Arrays:
    """The four arrays of an open npz file of `size` bytes: images uint8 (n, C, H, W), labels uint8 or uint16 (n,).

    Images and labels are stored as `pixel_arrays` and `label_arrays` take them; `layout` decides where the shape of
    images leaves their order open. classes: how many the dataset has. FormatError for anything else.
    """
    arrays = npz.read(file, NAMES, what, plausible(size), npy_file.NUMBERS)
    train, test = (
        as_images(arrays.pop(f"{split}_images"), f"{what}: {split}_images", bounds=reading.bounds, layout=layout)
        for split in ("train", "test")
    )
    labels = [as_labels(arrays[n], f"{what}: {n}", reading.labels_from) for n in ("train_labels", "test_labels")]
    most = max(classes, *(found.classes for found in labels))
    return Arrays(train, labels[0].narrowed(most), test, labels[1].narrowed(most))
