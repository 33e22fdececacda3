"""What the folders in a dataset's folder are: splits, or classes.

Folders with the name of a split (train, test, val …) are splits if pictures lie in folders within them, and classes if
pictures lie in them and other classes stand beside them. Everything else that has such names is an error: a guess would
train on classes called train and test.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from millrace.datasets.importers.inventory import TRAIN, split_of
from millrace.errors import FormatError, UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".apng")
LITTER = {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "@eadir", "lost+found"}
Folders = dict[str, Path]  # by name, sorted


@dataclass(frozen=True)
class Structure:
    """splits: the folders of classes of each split; all are to train on where no folder is a split's. loose: pictures
    that lie beside the folders, in none of them."""

    splits: dict[str, Folders]
    loose: tuple[str, ...]


def structure(path: Path) -> Structure:
    """The splits and classes in this folder. Errors: UsageError where folders could be either, FormatError where
    pictures lie in splits without a class, or none are there to train on."""
    found = folders(path)
    loose = tuple(sorted(_pictures(path), key=os.fsencode))
    named = {name: split for name in found if (split := split_of(name)) is not None}
    flat = {name: pictures[0] for name in named if (pictures := sorted(_pictures(found[name]), key=os.fsencode))}
    deep = [name for name in named if any(map(holds_pictures, folders(found[name]).values()))]
    others = [name for name in found if name not in named and holds_pictures(found[name])] if named else []
    if not deep and (others or not flat):
        return Structure({TRAIN: found}, loose)  # also where a class happens to be called `train`
    if not deep:
        raise FormatError(
            f"{path}: the pictures of {' and '.join(flat)} have no classes",
            expected="train/CLASS/…, test/CLASS/…, or a list of labels, metadata.csv or metadata.jsonl",
            got=", ".join(f"{name}/{picture}" for name, picture in flat.items()),
            do="put each picture into the folder of its class; if these are classes, give them other names",
        )
    if others:
        raise UsageError(
            f"{path} has splits and other folders of pictures side by side",
            expected="splits alone (train, val, test), or classes alone",
            got=f"{', '.join(deep)} beside {', '.join(others[:4])}",
            do="move one kind away, or give the path of the folder that is meant",
        )
    if flat:
        raise UsageError(
            f"{path}: it is not clear of which class a picture is",
            expected="each in a folder of its class: train/CLASS/…, test/CLASS/…",
            got=", ".join(f"{name}/{picture}" for name, picture in flat.items()),
            do="put it into a folder of its class, or move it away",
        )
    twice = [split for split, count in Counter(named[name] for name in deep).items() if count > 1]
    if twice:
        both = ", ".join(name for name in deep if named[name] in twice)
        raise UsageError(f"{path} has the same split twice", expected="one folder for each split", got=both)
    return Structure({named[name]: folders(found[name]) for name in deep}, loose)


def folders(path: Path) -> Folders:
    """The folders in this one, without what systems leave behind."""
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if not litter(entry.name) and is_folder(entry)]
    return {name: path / name for name in sorted(names, key=os.fsencode)}


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; a link that leads to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def holds_pictures(folder: Path) -> bool:
    """Whether pictures lie in this folder or below; links to folders are not followed."""
    left = [str(folder)]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left += [] if litter(entry.name) else [entry.path]
                elif is_picture(entry.name):
                    return True
    return False


def is_picture(name: str) -> bool:
    """Whether a file of this name is taken for a picture."""
    return name.lower().endswith(SUFFIXES) and not litter(name)


def litter(name: str) -> bool:
    """Whether this is hidden, or what systems leave behind."""
    return name.startswith(".") or name.lower() in LITTER


def _pictures(folder: Path) -> list[str]:
    """The pictures in this very folder."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if is_picture(entry.name) and not is_folder(entry)]
