"""What a network's confusion says, as text: error per class, the matrix itself, the commonest mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass

from millrace.model import Confusion

NONE = "·"  # a cell of the matrix without images


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


def per_class(confusion: Confusion, classes: Sequence[str]) -> list[ClassRow]:
    """The error of each class, in their order."""
    rows: list[ClassRow] = []
    for name, images, right in zip(classes, confusion.images.tolist(), confusion.right.tolist(), strict=True):
        wrong = images - right
        rows.append(ClassRow(name, images, wrong, wrong / images if images else 0.0))
    return rows


def worst(rows: Sequence[ClassRow], most: int) -> list[int]:
    """Where the rows with the largest errors stand, at most so many, the largest first; of equal errors those of more
    images. All rows in their own order where they are no more than that."""
    if len(rows) <= most:
        return list(range(len(rows)))
    return sorted(range(len(rows)), key=lambda at: (-rows[at].error, -rows[at].images, at))[:most]


def mistakes(confusion: Confusion, classes: Sequence[str], limit: int = 5) -> list[Mistake]:
    """The commonest mistakes, most frequent first, then in the order of the classes; at most `limit`."""
    return [Mistake(classes[true], classes[answer], count) for true, answer, count in confusion.wrong[:limit].tolist()]


def matrix(confusion: Confusion, classes: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the matrix as text: a row per true class, a column per predicted one, NONE for none.

    Columns are headed by the classes' names where all are short, else by their numbers, which the rows
    then carry too."""
    short = all(len(name) <= 3 for name in classes)
    heads = list(classes) if short else [str(index) for index in range(len(classes))]
    names = list(classes) if short else [f"{name} {index}" for index, name in enumerate(classes)]
    rows = [
        [name, *(str(count) if count else NONE for count in counts)]
        for name, counts in zip(names, confusion.matrix().tolist(), strict=True)
    ]
    return ["", *heads], rows
