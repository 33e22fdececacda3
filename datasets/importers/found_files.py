"""Files below a folder that belong to one dataset, and the names of its classes beside them."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from millrace.datasets.importers.class_names import class_names
from millrace.datasets.importers.inventory import split_of
from millrace.errors import UsageError

DEPTH = 3  # folders within each other that are looked into
LISTED = 8
HIDDEN = (".", "__MACOSX")


def files_below(path: Path, endings: tuple[str, ...], passed: Iterable[str] = (), depth: int = DEPTH) -> list[str]:
    """The files with one of these endings in a folder and below it, as POSIX paths within it, sorted.

    Hidden files and folders, and files that are called as one of `passed`, are left out; links to folders are followed,
    each folder once."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    left = [(path, "", depth)]
    while left:
        folder, within, deep = left.pop()
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders: list[str] = []
        with os.scandir(folder) as entries:  # a folder of pictures has thousands that are none of these
            for entry in entries:
                if entry.is_dir():
                    folders += [] if entry.name.startswith(HIDDEN) else [entry.name]
                elif entry.name.lower().endswith(endings) and not entry.name.startswith(HIDDEN):
                    found += [] if entry.name in passed else [within + entry.name]
        left += [(folder / name, f"{within}{name}/", deep - 1) for name in sorted(folders) if deep > 0]
    return sorted(found, key=os.fsencode)


def one_home(names: Iterable[str], what: str) -> None:
    """Raise a UsageError unless all files lie in one folder, or in the folders of its splits."""
    homes = {str(PurePosixPath(name).parent) for name in names}
    roots = {str(PurePosixPath(home).parent) if split_of(PurePosixPath(home).name) else home for home in homes}
    if len(roots) > 1:
        raise UsageError(
            f"{what} holds several datasets",
            expected="files in one folder, or in its folders train, validation and test",
            got=", ".join(sorted(roots)[:LISTED]),
            do="give the path of one of these folders",
        )


def named_classes(folder: Path) -> tuple[tuple[str, ...] | None, list[str]]:
    """The names in a folder's `classes.txt`, and the name of that file; nothing where there is none."""
    names, listed = class_names(folder, 0)
    return (None, []) if listed is None else (names, [listed.name])


def stamp(path: Path, name: str) -> tuple[str, int, int]:
    """A file as a stamp: its name, bytes and time of change."""
    status = path.stat()
    return name, status.st_size, status.st_mtime_ns


def stamp_or_none(path: Path, name: str) -> tuple[str, int, int]:
    """A picture's stamp; −1 bytes where it cannot be found, which decoding names."""
    try:
        return stamp(path, name)
    except OSError:
        return name, -1, 0
