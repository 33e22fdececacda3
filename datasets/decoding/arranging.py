"""Which pictures train and which test, as sequences that hold no picture before it is asked for."""

import os
from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from millrace.datasets.importers.inventory import TEST, TRAIN, VALIDATION, Picture, Survey

Index = npt.NDArray[np.int64]


class Chosen(Sequence[Picture]):
    """Some of the pictures of one sequence, in the order of `rows`."""

    def __init__(self, pictures: Sequence[Picture], rows: Index) -> None:
        self._pictures, self._rows = pictures, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Picture: ...
    @overload
    def __getitem__(self, place: slice) -> "Chosen": ...
    def __getitem__(self, place: int | slice) -> "Picture | Chosen":
        if isinstance(place, slice):
            return Chosen(self._pictures, self._rows[place])
        return self._pictures[int(self._rows[place])]


class Joined(Sequence[Picture]):
    """The pictures of two sequences, one after the other."""

    def __init__(self, first: Sequence[Picture], second: Sequence[Picture]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    @overload
    def __getitem__(self, place: int) -> Picture: ...
    @overload
    def __getitem__(self, place: slice) -> Chosen: ...
    def __getitem__(self, place: int | slice) -> Picture | Chosen:
        if isinstance(place, slice):
            return Chosen(self, np.arange(len(self))[place])
        return self._first[place] if place < len(self._first) else self._second[place - len(self._first)]


def labels_of(pictures: Sequence[Picture]) -> Index:
    """The labels of these pictures: int64 (n,)."""
    return np.fromiter((one.label for one in pictures), np.int64, len(pictures))


def arranged(survey: Survey) -> tuple[Sequence[Picture], Sequence[Picture]]:
    """The pictures to train on and to test on, each in the order of their names.

    Where there is a test split, pictures of a validation split train too; a validation split alone is the test split;
    where there is neither, some of each class are drawn with a constant key."""
    from millrace.datasets.splits import rows_to_test  # compiles kernels, which surveys can do without

    counts, train = survey.inventory.counts, survey.pictures(TRAIN)
    if TEST in counts:
        held: Sequence[Picture] = survey.pictures(VALIDATION) if VALIDATION in counts else ()
        return (_sorted(Joined(train, held)) if held else train), survey.pictures(TEST)
    if VALIDATION in counts:
        return train, survey.pictures(VALIDATION)
    labels = labels_of(train)
    test = rows_to_test(labels, survey.reading.test_share)
    left = np.ones(len(labels), bool)
    left[test] = False
    return Chosen(train, np.flatnonzero(left)), Chosen(train, test)


def _sorted(pictures: Sequence[Picture]) -> Chosen:
    names = [os.fsencode(one.name) for one in pictures]
    return Chosen(pictures, np.array(sorted(range(len(names)), key=names.__getitem__), np.int64))
