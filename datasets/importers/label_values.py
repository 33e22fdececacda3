"""Labels as files hold them, numbers or names, become the numbers of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millrace.datasets.importers.inventory import TRAIN, shown_name
from millrace.datasets.spec import MAX_CLASSES
from millrace.errors import FormatError, UsageError

NONE = -(1 << 63)  # stands for no label among numbers
FEW = 20  # classes that need no second look
I64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """The names of the classes, and for each split the numbers of its rows' classes, int64 (n,); -1 where a row has no
    label."""

    classes: tuple[str, ...]
    labels: Mapping[str, I64Array]


def labelled(
    values: Mapping[str, I64Array | Sequence[str | None]], names: tuple[str, ...] | None, lowest: int, what: str
) -> Labelled:
    """The classes of these values, by split: whole numbers (NONE where a row has no label), or strings (None there).

    Numbers count from `lowest`; where that is 0 and the classes have names, one below it says that there is no label.
    Strings are names, sorted, or in the order of `names` where these are known; an empty one is no label. Errors:
    FormatError for a label that is none of the classes; UsageError for names with `lowest` other than 0.
    """
    numbers = {split: found for split, found in values.items() if isinstance(found, np.ndarray)}
    if len(numbers) == len(values):
        return _numbers(numbers, names, lowest, what)
    texts = {split: found for split, found in values.items() if not isinstance(found, np.ndarray)}
    if len(texts) != len(values):
        raise FormatError(f"{what}: labels are numbers in some files and names in others", got=", ".join(values))
    if lowest:
        raise UsageError(
            f"{what}: the labels are names, which do not count from a number",
            expected="labels_from for labels that are numbers",
            got=lowest,
            do="leave out `labels_from`",
        )
    texts = {split: [value or None for value in found] for split, found in texts.items()}
    known = names or tuple(sorted({value for found in texts.values() for value in found if value is not None}))
    _check_classes(len(known), what)
    place = {name: index for index, name in enumerate(known)}
    if unknown := {value for found in texts.values() for value in found if value is not None} - set(place):
        raise FormatError(f"{what}: a label is none of the classes", expected=_some(known), got=_some(sorted(unknown)))
    made = {
        split: np.array([-1 if value is None else place[value] for value in found], np.int64)
        for split, found in texts.items()
    }
    return Labelled(tuple(map(shown_name, known)), made)


def _numbers(numbers: Mapping[str, I64Array], names: tuple[str, ...] | None, lowest: int, what: str) -> Labelled:
    if names is not None and lowest == 0:
        numbers = {split: np.where(found < 0, NONE, found) for split, found in numbers.items()}
    every = np.concatenate([found[found != NONE] for found in numbers.values()] or [np.empty(0, np.int64)])
    least, most = (int(every.min()), int(every.max())) if every.size else (lowest, lowest)
    if least < lowest:
        raise FormatError(
            f"{what}: a label is below the lowest",
            expected=f"labels from {lowest} on (labels_from)",
            got=least,
            do=None if least < 0 else f"say `labels_from={least}`",
        )
    count = most - lowest + 1 if names is None else len(names)
    _check_classes(count, what)
    if most - lowest >= count:
        raise FormatError(
            f"{what}: a label is none of the classes", expected=f"{lowest} to {lowest + count - 1}", got=most
        )
    made = {split: np.where(found == NONE, -1, found - lowest) for split, found in numbers.items()}
    return Labelled(names or tuple(str(lowest + index) for index in range(count)), made)


def _check_classes(count: int, what: str) -> None:
    if not 2 <= count <= MAX_CLASSES:
        raise UsageError(f"{what}: not a number of classes", expected=f"2 to {MAX_CLASSES:,}", got=f"{count:,}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def counted(found: Labelled, skip_bad: bool, what: str) -> tuple[dict[str, I64Array], list[str]]:
    """The labels by split, and in words which rows have none: a split in which no row has one is left out, as tests are
    often published. FormatError where some rows of a split have none, unless `skip_bad` leaves them out."""
    kept, notes = {}, []
    for split, labels in found.labels.items():
        bare = int((labels < 0).sum())
        if bare == len(labels) or (bare and skip_bad):
            notes.append(f"{split}: {bare:,} of {len(labels):,} without a label: left out")
        elif bare:
            raise FormatError(
                f"{what}: {split} has pictures without a label",
                expected=f"{len(labels):,} labels",
                got=f"{bare:,} without, the first is number {int(np.argmax(labels < 0))}",
                do="give them labels, or leave them out: `skip_bad=True`",
            )
        if bare < len(labels):
            kept[split] = labels
    rows = sum(map(len, kept.values()))
    if len(found.classes) > max(rows // 2, FEW):
        notes.append(f"{len(found.classes):,} classes for {rows:,} pictures: perhaps another column holds the labels")
    if TRAIN not in kept:
        raise FormatError(
            f"{what} has nothing to train on",
            expected="a split train with labels",
            got="; ".join([*(f"{split}: {len(labels):,} pictures" for split, labels in kept.items()), *notes])
            or "no rows",
        )
    return kept, notes
