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
    images leaves their order open. classes: how many the dataset has. Where the reading has a test share
    only the two of the training are read, and the test split has no rows. FormatError for anything else.
    """
    splits = ("train", "test") if reading.test_share is None else ("train",)
    names = NAMES[: 2 * len(splits)]
    arrays = npz.read(file, names, what, plausible(size), npy_file.NUMBERS)
    images = [
        as_images(arrays.pop(f"{split}_images"), f"{what}: {split}_images", bounds=reading.bounds, layout=layout)
        for split in splits
    ]
    found = [as_labels(arrays[n], f"{what}: {n}", reading.labels_from) for n in names if n.endswith("labels")]
    most = max(classes, *(labels.classes for labels in found))
    labels = [one.narrowed(most) for one in found]
    if len(splits) == 1:
        return Arrays.untested(images[0], labels[0])
    return Arrays(images[0], labels[0], images[1], labels[1])
