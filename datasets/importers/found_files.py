"""Files below a folder that belong to one dataset, and the names of its classes beside them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath

from millrace.datasets.importers.class_names import class_names
from millrace.datasets.importers.inventory import Stamp, split_of
from millrace.errors import UsageError

DEPTH = 3  # folders within each other that are looked into
LISTED = 8
HIDDEN = (".", "__MACOSX", "lost+found")
Listing = tuple[list[str], list[str]]  # the names of the folders in a folder, and of all else
_LISTED: ContextVar[dict[str, Listing] | None] = ContextVar("listed", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """While the block lasts a folder is read once for all importers: one of pictures has thousands of names."""
    token = _LISTED.set({})
    try:
        yield
    finally:
        _LISTED.reset(token)


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
        folders, files = _listing(str(folder))
        fit = [name for name in files if name.lower().endswith(endings)]
        found += [within + name for name in fit if not name.startswith(HIDDEN) and name not in passed]
        if deep > 0:
            inner = (name for name in sorted(folders) if not name.startswith(HIDDEN))
            left += [(folder / name, f"{within}{name}/", deep - 1) for name in inner]
    return sorted(found, key=os.fsencode)


def _listing(folder: str) -> Listing:
    known = _LISTED.get()
    if known is not None and folder in known:
        return known[folder]
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                folds = entry.is_dir()
            except OSError:  # a link that leads to itself
                folds = False
            (folders if folds else files).append(entry.name)
    if known is not None:
        known[folder] = folders, files
    return folders, files


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


def stamp(path: Path, name: str) -> Stamp:
    """The stamp of a file, under this name."""
    status = path.stat()
    return name, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def stamp_or_none(path: Path, name: str) -> Stamp:
    """A picture's stamp; −1 bytes where it cannot be found, which decoding names."""
    try:
        return stamp(path, name)
    except OSError:
        return name, -1, 0, 0
