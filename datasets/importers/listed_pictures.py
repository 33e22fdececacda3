"""A folder of pictures with a list of their labels, as Hugging Face's ImageFolder has it.

The list, metadata.csv or metadata.jsonl, lies in the folder, or one in each of its folders train, validation and test.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from millrace.datasets.importers.found_files import files_below, named_classes, stamp, stamp_or_none
from millrace.datasets.importers.inventory import TRAIN, Inventory, Picture, Survey, split_of
from millrace.datasets.importers.label_values import I64Array, counted, labelled
from millrace.datasets.importers.lazy_pictures import MOST_BYTES, FileSlice, LazyPictures
from millrace.datasets.importers.metadata_lists import FILE, LISTS, Row, label_columns, label_values, read_list
from millrace.datasets.importers.options import Reading
from millrace.datasets.importers.table_columns import chosen_label, likely_label
from millrace.errors import FormatError, UsageError

kind = "pictures with metadata"
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
DEEP = 16  # folders within each other


def claims(path: Path) -> str | None:
    """Why this path is of this kind: a list of labels lies in it, or in the folders of its splits."""
    found = lists(path)
    return ", ".join(found) if found else None


def survey(path: Path, reading: Reading) -> Survey:
    """The pictures in the lists of this folder."""
    return ListedPictures(path, reading)


def lists(path: Path) -> list[str]:
    """The lists of a folder, as POSIX paths within it: its own, or those in the folders of its splits."""
    if not path.is_dir():
        return []
    own = [name for name in LISTS if (path / name).is_file()]
    if own:
        return own
    with os.scandir(path) as entries:
        folders = sorted(entry.name for entry in entries if split_of(entry.name) and entry.is_dir())
    return [f"{folder}/{name}" for folder in folders for name in LISTS if (path / folder / name).is_file()]


class ListedPictures(Survey):
    """Pictures that a list names, with their labels."""

    def __init__(self, path: Path, reading: Reading) -> None:
        found = lists(path)
        rows = dict(_by_split(path, found))
        every = [row for part in rows.values() for row in part]
        fit = label_columns(every)
        what = f"{path}: {', '.join(found)}"
        column = chosen_label(fit, reading.labels, what) if reading.labels else likely_label(fit, what)
        values = {split: label_values(part, column) for split, part in rows.items()}
        if len({isinstance(one, list) for one in values.values()}) > 1:  # numbers by chance in one split alone
            values = {s: [None if row.get(column) in (None, "") else str(row[column]) for row in rows[s]] for s in rows}
        classes, listed = named_classes(path)
        known = labelled(values, classes, reading.labels_from, what)
        labels, notes = counted(known, reading.skip_bad, what)
        names = [str(row[FILE]) for row in every]
        if len(set(names)) != len(names):
            raise FormatError(f"{what}: a picture is listed twice", got=_twice(names))
        unlisted = set(files_below(path, ENDINGS, depth=DEEP)) - set(names)
        if unlisted:
            notes.append(f"{len(unlisted):,} pictures that no list names, such as {min(unlisted)}: passed over")
        stamps = sorted(
            [
                *(stamp_or_none(path / name, name) for name in names),
                *(stamp(path / name, name) for name in [*found, *listed]),
            ]
        )
        counts = {s: tuple(np.bincount(v[v >= 0], minlength=len(known.classes)).tolist()) for s, v in labels.items()}
        super().__init__(Inventory(kind, known.classes, counts, tuple(notes), tuple(stamps)), reading)
        self._parts = {split: Listed(path, [str(row[FILE]) for row in rows[split]], labels[split]) for split in labels}

    def pictures(self, split: str) -> Sequence[Picture]:
        """The pictures of a split, sorted by name."""
        return self._parts[split]


class Listed(LazyPictures):
    """The listed pictures of a split."""

    def __init__(self, root: Path, names: Sequence[str], labels: I64Array) -> None:
        super().__init__(labels)
        self._root, self._names = root, names

    def at(self, row: int, label: int) -> Picture:
        name = self._names[row]
        path = str(self._root / name)
        return Picture(name, label, FileSlice(path, 0, MOST_BYTES + 1), path)


def _by_split(path: Path, found: Sequence[str]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each split, sorted by name, their names relative to the dataset's folder."""
    rows: dict[str, list[Row]] = {}
    homes = [str(PurePosixPath(name).parent) for name in found]
    if len(set(homes)) != len(homes):
        raise UsageError(f"{path} has two lists side by side", expected="one", got=", ".join(found))
    for name, home in zip(found, homes, strict=True):
        for row in read_list(path / name):
            full = PurePosixPath(home) / str(row[FILE])
            first = split_of(full.parts[0]) if len(full.parts) > 1 else None
            rows.setdefault(first or "", []).append({**row, FILE: full.as_posix()})
    bare = rows.pop("", [])
    if bare and rows:
        raise UsageError(
            f"{path}: it is not clear of which split a picture is",
            expected="all in folders train, validation or test, or none",
            got=bare[0][FILE],
        )
    for split, part in rows.items() if rows else ((TRAIN, bare),):
        yield split, sorted(part, key=lambda row: os.fsencode(str(row[FILE])))


def _twice(names: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
