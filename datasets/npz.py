"""A dataset as npz: the arrays train_images, train_labels, test_images and test_labels, or others so understood."""

from collections.abc import Sequence
from typing import IO

from millrace.datasets.arrays import Arrays
from millrace.datasets.importers.array_names import pairs
from millrace.datasets.importers.options import Reading
from millrace.datasets.label_arrays import as_labels
from millrace.datasets.pixel_arrays import as_images
from millrace.datasets.spec import plausible
from millrace.errors import FormatError
from millrace.formats import npy_file, npz


def read_npz(file: IO[bytes], size: int, what: str, layout: str, reading: Reading, classes: int = 0) -> Arrays:
    """The four arrays of an open npz file of `size` bytes: images uint8 (n, C, H, W), labels uint8 or uint16 (n,).

    Images and labels are stored as `pixel_arrays` and `label_arrays` take them; `layout` decides where the shape of
    images leaves their order open. classes: how many the dataset has. Where the reading has a test share
    only the two of the training are read, and the test split has no rows. FormatError for anything else.
    """
    splits = ("train", "test") if reading.test_share is None else ("train",)
    names = _names(file, what, splits, reading.labels)
    arrays = npz.read(file, [name for pair in names for name in pair], what, plausible(size), npy_file.NUMBERS)
    images = [as_images(arrays.pop(name), f"{what}: {name}", bounds=reading.bounds, layout=layout) for name, _ in names]
    found = [as_labels(arrays[name], f"{what}: {name}", reading.labels_from) for _, name in names]
    most = max(classes, *(labels.classes for labels in found))
    labels = [one.narrowed(most) for one in found]
    if len(splits) == 1:
        return Arrays.untested(images[0], labels[0])
    return Arrays(images[0], labels[0], images[1], labels[1])


def _names(file: IO[bytes], what: str, splits: Sequence[str], labels: str) -> list[tuple[str, str]]:
    """What the images and the labels of each split are called: our names, or such as Keras' where those are there."""
    ours = [(f"{split}_images", f"{split}_labels") for split in splits]
    there = npz.names(file, what)
    if all(name in there for pair in ours for name in pair):
        return ours
    try:
        found = pairs(there, what, labels)
    except FormatError:
        return ours  # reading them says what is missing
    return [found[split] for split in splits] if set(splits) <= set(found) else ours
