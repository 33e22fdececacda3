"""Folders of pictures, one for each class: CLASS/…, or train|test|val/CLASS/….

What lies in a folder below a class's belongs to the class. Links are followed, each folder once; one that leads to
another class's pictures is an error. Hidden files and what systems leave behind are passed over, as is what is no
picture by its name; all of it is said.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from millrace.datasets.importers.folder_structure import SUFFIXES, folders, holds_pictures, litter, structure
from millrace.datasets.importers.found_files import named_classes, stamp
from millrace.datasets.importers.inventory import SPLITS, TRAIN, Inventory, Picture, Stamp, Survey, shown_name
from millrace.datasets.importers.lazy_pictures import MOST_BYTES, FileSlice
from millrace.datasets.importers.listed_pictures import lists
from millrace.datasets.importers.options import Reading
from millrace.errors import FormatError, UsageError

kind = "class folders"
SHOWN = 10  # names in a message


def claims(path: Path) -> str | None:
    """Why this path is of this kind: it has folders with pictures in them, and no list of labels beside them."""
    if not path.is_dir() or lists(path):
        return None
    found = [name for name, folder in folders(path).items() if holds_pictures(folder)]
    return f"folders of pictures: {', '.join(found[:4])}{' …' if len(found) > 4 else ''}" if found else None


def survey(path: Path, reading: Reading) -> Survey:
    """The classes and pictures below this path, from names, sizes and times alone."""
    return ClassFolders(path, reading)


class ClassFolders(Survey):
    """A folder of class folders."""

    def __init__(self, path: Path, reading: Reading) -> None:
        _check_reading(reading)
        found, walk = structure(path), _Walk(path)
        for split, inner in found.splits.items():
            for name, folder in inner.items():
                walk.take(split, name, folder)
        names, listed = _ordered({name for _, name in walk.found}, path)
        walk.stamps += [stamp(path / name, name) for name in listed]
        self._walk, self._labels = walk, {name: label for label, name in enumerate(names)}
        counts = {
            split: tuple(len(walk.found.get((split, name), ())) for name in names)
            for split in SPLITS
            if any((split, name) in walk.found for name in names)
        }
        if TRAIN not in counts:
            raise FormatError(
                f"{path} has no pictures to train on",
                expected="train/CLASS/… or CLASS/…",
                got=f"{', '.join(counts)} alone" if counts else "no pictures",
            )
        notes = list(walk.notes())
        if found.loose:
            first = shown_name(found.loose[0])
            notes.append(
                f"{len(found.loose):,} pictures that lie in no folder of a class, such as {first}: passed over"
            )
        inventory = Inventory(kind, tuple(map(shown_name, names)), counts, tuple(notes), tuple(sorted(walk.stamps)))
        super().__init__(inventory, reading)

    def pictures(self, split: str) -> Sequence[Picture]:
        """The pictures of a split, sorted by name."""
        found = [
            (name, self._labels[folder])
            for (of, folder), names in self._walk.found.items()
            if of == split
            for name in names
        ]
        return FolderPictures(self._walk.root, sorted(found, key=lambda one: os.fsencode(one[0])))


class FolderPictures(Sequence[Picture]):
    """Pictures below a folder by name and label: each is made when it is asked for, since there may be millions."""

    def __init__(self, root: str, found: list[tuple[str, int]]) -> None:
        self._root, self._found = root, found

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, place: int) -> Picture: ...
    @overload
    def __getitem__(self, place: slice) -> "FolderPictures": ...
    def __getitem__(self, place: int | slice) -> "Picture | FolderPictures":
        if isinstance(place, slice):
            return FolderPictures(self._root, self._found[place])
        name, label = self._found[place]
        path = os.path.join(self._root, name)
        return Picture(name, label, FileSlice(path, 0, MOST_BYTES + 1), path)


def _ordered(found: set[str], path: Path) -> tuple[list[str], list[str]]:
    """The names of the classes, in the order of classes.txt if that lies there, and its name. FormatError where a
    folder is not in it."""
    names = sorted(found, key=os.fsencode)
    known, listed = named_classes(path)
    if known is None:
        return names, listed
    if others := [name for name in names if name not in known]:
        raise FormatError(
            f"{path}: a folder of pictures is none of the classes in {listed[0]}",
            expected=", ".join(known[:SHOWN]),
            got=", ".join(map(shown_name, others[:SHOWN])),
            do=f"name it there, or move {listed[0]} away: without it the classes are the folders, sorted",
        )
    return list(known), listed


def _check_reading(reading: Reading) -> None:
    """Raise a UsageError for what has no meaning where folders are the classes, instead of passing it over."""
    for asked in ("labels", "labels_from"):
        if asked in reading.given:
            raise UsageError(
                f"{kind}: the folders are the labels, in the order of their names",
                expected=f"{asked} for files that hold labels",
                got=reading.given[asked],
                do=f"leave out `{asked}`",
            )


class _Walk:
    """Walks class folders. found: (split, class) → the name of each picture; stamps: of all."""

    def __init__(self, root: Path) -> None:
        self.root, self._root = str(root), root
        self.found: dict[tuple[str, str], list[str]] = {}
        self.stamps: list[Stamp] = []
        self._passed: Counter[str] = Counter()
        self._said: list[str] = []
        # Split, device and inode of each folder → its class; none for those in which the classes lie.
        self._of: dict[tuple[str, int, int], str] = {}

    def take(self, split: str, name: str, folder: Path) -> None:
        """Take all pictures in a class's folder and below."""
        taken: list[Stamp] = []
        for above in {self._root, folder.parent}:
            status = above.stat()
            self._of[split, status.st_dev, status.st_ino] = ""
        self._below(split, str(folder), folder.relative_to(self._root).as_posix(), taken)
        if not taken:
            self._said.append(f"{folder.relative_to(self._root).as_posix()}/ holds no pictures and is no class")
            return
        self.found[split, name] = [one[0] for one in taken]
        plain = name.isascii() and all(map(str.isascii, self.found[split, name]))
        self.stamps += taken if plain else [(shown_name(one[0]), *one[1:]) for one in taken]

    def _below(self, split: str, folder: str, name: str, taken: list[Stamp]) -> None:
        """Take the pictures of a class's folder and of those in it, however deep. FormatError where a link makes them
        another class's too."""
        left = [(folder, name)]
        while left:
            at, within = left.pop()
            handle = os.open(at, os.O_RDONLY | os.O_DIRECTORY)  # to find each file from here, not from the root
            try:
                status = os.fstat(handle)
                place = split, status.st_dev, status.st_ino
                if (before := self._of.get(place)) is not None:
                    self._check(name, within, before)
                    self._said.append(f"{within}/ leads to a folder that is read already: passed over")
                    continue
                self._of[place] = name
                nested = self._entries(handle, f"{within}/", taken)
            finally:
                os.close(handle)
            # Sorted, the last one first in: of two links to one folder the first is followed.
            left += [(f"{at}/{own}", f"{within}/{own}") for own in sorted(nested, reverse=True)]
            if nested and at == folder:
                self._said.append(f"{name}/ has folders within: their pictures belong to {name.rpartition('/')[2]}")

    def _check(self, name: str, within: str, before: str) -> None:
        """Raise a FormatError where a folder that is read already is not this class's own."""
        if before != name:
            other = f"{shown_name(before)}/" if before else "the folder of the classes"
            raise FormatError(
                f"{self.root}: the same pictures would have two classes",
                expected="each folder below one class",
                got=f"{shown_name(within)}/, which leads to what {other} holds",
                do="remove the link",
            )

    def _entries(self, handle: int, within: str, taken: list[Stamp]) -> list[str]:
        """Take the pictures of one folder; the names of the folders in it."""
        nested: list[str] = []
        with os.scandir(handle) as entries:  # thousands: as little is done with each as can be
            for entry in entries:
                own = entry.name
                try:
                    folds = entry.is_dir()
                except OSError:  # a link that leads to itself
                    folds = False
                if not folds and own[0] != "." and own.lower().endswith(SUFFIXES):
                    try:
                        status = entry.stat()
                    except OSError:  # a link that leads nowhere, which decoding names
                        taken.append((within + own, -1, 0, 0))
                    else:
                        times = status.st_mtime_ns, status.st_ctime_ns
                        taken.append((within + own, status.st_size, *times))
                elif litter(own):
                    self._passed["hidden files and what systems leave behind"] += 1
                elif folds:
                    nested.append(own)
                else:
                    self._passed[f"files that are no pictures by their name ({_suffix(own)})"] += 1
        return nested

    def notes(self) -> Iterator[str]:
        """What was passed over or is worth knowing."""
        yield from (f"{count:,} {shown_name(what)}: passed over" for what, count in sorted(self._passed.items()))
        yield from map(shown_name, self._said)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower() or "without an ending"
