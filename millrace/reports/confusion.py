"""What a confusion matrix says, as text: error per class, the matrix itself, the commonest mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NONE = "·"  # a cell of the matrix without images

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassRow:
    """One true class: its name, images, wrong answers, error as a fraction (0 without images)."""

    name: str
    images: int
    wrong: int
    error: float


@dataclass(frozen=True)
class Mistake:
    """How often one class was taken for another."""

    true: str
    predicted: str
    count: int


def per_class(confusion: Counts, classes: Sequence[str]) -> list[ClassRow]:
    """The error of each class. confusion: int64 (classes, classes), [true, predicted]."""
    rows: list[ClassRow] = []
    for index, name in enumerate(classes):
        images = int(confusion[index].sum())
        wrong = images - int(confusion[index, index])
        rows.append(ClassRow(name, images, wrong, wrong / images if images else 0.0))
    return rows


def mistakes(confusion: Counts, classes: Sequence[str], limit: int = 5) -> list[Mistake]:
    """The commonest mistakes, most frequent first, then in the order of the classes; at most `limit`."""
    found = [
        Mistake(classes[true], classes[predicted], int(confusion[true, predicted]))
        for true in range(len(classes))
        for predicted in range(len(classes))
        if true != predicted and confusion[true, predicted]
    ]
    return sorted(found, key=lambda mistake: -mistake.count)[:limit]


def matrix(confusion: Counts, classes: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the matrix as text: a row per true class, a column per predicted one, NONE for none.

    Columns are headed by the classes' names where all are short, else by their numbers, which the rows
    then carry too."""
    short = all(len(name) <= 3 for name in classes)
    heads = list(classes) if short else [str(index) for index in range(len(classes))]
    names = list(classes) if short else [f"{name} {index}" for index, name in enumerate(classes)]
    rows = [
        [name, *(str(count) if count else NONE for count in confusion[index].tolist())]
        for index, name in enumerate(names)
    ]
    return ["", *heads], rows
