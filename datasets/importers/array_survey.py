"""What all importers of arrays share: splits of images and labels, and what is known of them from their heads."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets.arrays import Arrays
from millrace.datasets.importers.class_names import class_names
from millrace.datasets.importers.found_files import stamp
from millrace.datasets.importers.inventory import TEST, TRAIN, VALIDATION, Inventory, Survey
from millrace.datasets.importers.options import LARGEST, SMALLEST, Reading
from millrace.datasets.label_arrays import FoundLabels
from millrace.datasets.pixel_arrays import as_images, image_shape, layout_of
from millrace.errors import FormatError, UsageError
from millrace.labels import Labels, label_type

# What no array has: its size and channels are what they are, and nothing in it is decoded.
_OF_PICTURES = ("size", "fit", "channels", "background", "skip_bad", "first_frame")


@dataclass(frozen=True)
class StoredSplit:
    """One split. what: its images' name, for messages; shape and dtype of the images as they are stored; read: brings
    them, from memory or a map of the file; labels: read already."""

    what: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], npt.NDArray[Any]]
    labels: FoundLabels

    def __post_init__(self) -> None:
        if self.shape[:1] != (len(self.labels.values),):
            got = f"{(*self.shape, 0)[0]} images, {len(self.labels.values)} labels"
            raise FormatError(f"{self.what}: images and labels do not fit", expected="as many", got=got)

    @property
    def form(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return image_shape(self.shape, layout_of(self.shape, self.what))


class ArraySurvey(Survey):
    """A path that holds arrays.

    files: all that decide the content, relative to `folder`, where classes.txt may lie. names: of the classes, where
    the arrays themselves say them.
    """

    encoded = False

    def __init__(
        self,
        kind: str,
        parts: Mapping[str, StoredSplit],
        reading: Reading,
        folder: Path,
        files: Sequence[Path],
        notes: Sequence[str] = (),
        names: tuple[str, ...] = (),
    ) -> None:
        _check_reading(kind, reading)
        _check_forms(parts)
        if VALIDATION in parts and TEST not in parts:
            parts = {TRAIN: parts[TRAIN], TEST: parts[VALIDATION]}
            notes = [*notes, "there is no test split: the one for validation is tested on"]
        count = max(part.labels.classes for part in parts.values())
        named = None
        if len(names) < count:
            names, named = class_names(folder, count)
        self._parts = parts
        inventory = Inventory(
            kind,
            names,
            {
                split: tuple(np.bincount(part.labels.values, minlength=len(names)).tolist())
                for split, part in parts.items()
            },
            (*notes, *_notes(parts, reading)),
            tuple(
                sorted(
                    stamp(path, path.relative_to(folder).as_posix()) for path in ((*files, named) if named else files)
                )
            ),
            sum((Counter({part.form[1:]: part.shape[0]}) for part in parts.values()), Counter()),
            sum((Counter({_mode(part): part.shape[0]}) for part in parts.values()), Counter()),
            parts[TRAIN].form,
        )
        super().__init__(inventory, reading)

    def stored(self, split: str) -> list[StoredSplit]:
        """What the images of `train` or `test` are stored in: where there is a test split, those for validation train
        too, as those of folders do."""
        names = (TRAIN, VALIDATION) if split == TRAIN else (TEST,)
        return [self._parts[name] for name in names if name in self._parts]

    def labels(self, split: str) -> Labels:
        """The labels of `train` or `test`, in the order of `stored`."""
        values = [part.labels.values for part in self.stored(split)]
        return np.concatenate([np.empty(0, np.int64), *values]).astype(label_type(len(self.inventory.classes)))

    def arrays(self) -> Arrays:
        """Images uint8 (n, C, H, W), labels uint8, or uint16 for more than 256 classes; a split that the files do not
        have is empty. FormatError for pixels that do not fit the range."""
        train, test = (
            [as_images(part.read(), part.what, bounds=self.reading.bounds) for part in self.stored(split)]
            for split in (TRAIN, TEST)
        )
        images = train[0] if len(train) == 1 else np.concatenate(train)
        return Arrays(images, self.labels(TRAIN), test[0] if test else images[:0], self.labels(TEST))


def _check_forms(parts: Mapping[str, StoredSplit]) -> None:
    forms = {part.what: "×".join(map(str, part.form)) for part in parts.values()}
    if len(set(forms.values())) > 1:
        got = ", ".join(f"{what} {form}" for what, form in forms.items())
        raise FormatError("the splits differ in the shape of their images", expected="one shape (C×H×W)", got=got)


def _check_reading(kind: str, reading: Reading) -> None:
    asked = [name for name in reading.given if name in _OF_PICTURES]
    if asked:
        raise UsageError(
            f"{kind}: arrays are taken as they are",
            expected=f"{', '.join(_OF_PICTURES)} for encoded pictures alone",
            got=", ".join(asked),
            do=f"leave out {asked[0]}",
        )


def _notes(parts: Mapping[str, StoredSplit], reading: Reading) -> Iterator[str]:
    if VALIDATION in parts:
        rows = parts[VALIDATION].shape[0]
        yield f"validation: {rows:,} images train too; `validation` sets some apart"
    lowest = min(int(part.labels.values.min()) for part in parts.values())
    if lowest > 0:
        begin = reading.labels_from + lowest
        yield f"no label is below {begin}: if that is where they begin, say `labels_from={begin}`"
    others = {str(part.dtype.newbyteorder("=")) for part in parts.values()} - {"uint8"}
    if others and reading.range is None:
        yield f"{', '.join(sorted(others))} pixels need `range=LOW..HIGH`, the values for black and white"
    _, height, width = parts[TRAIN].form
    if min(height, width) < SMALLEST or max(height, width) > LARGEST:
        tested = f"{SMALLEST}×{SMALLEST} to {LARGEST}×{LARGEST}"
        yield f"{height}×{width} is taken, but lies outside of the sizes that are tested, {tested}"


def _mode(part: StoredSplit) -> str:
    channels = part.form[0]
    return f"{part.dtype.newbyteorder('=')}, {channels} channel{'s' if channels > 1 else ''}"
