"""Tables that lie in the user's cache, and their removal: never of one that a process makes or reads."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from millrace.datasets.catalogue import find, registry
from millrace.datasets.importers.path_spec import name_of
from millrace.datasets.table_copies import COPIES
from millrace.datasets.table_files import LOCK, MANIFEST
from millrace.errors import MillraceError
from millrace.storage import faults, holder, mapped_by, try_lock
from millrace.user_cache import user_cache

_FOLDER = re.compile(r"(.+)-[0-9a-f]{12}")


@dataclass(frozen=True)
class CachedTable:
    """A dataset's folder in the cache. bytes: of all in it; downloaded: whether files of the network are among them,
    which are not there to be read again."""

    name: str
    folder: Path
    bytes: int
    downloaded: bool


def cached_tables(name: str | None = None, cache: Path | None = None) -> list[CachedTable]:
    """The tables in the cache, or those of one dataset (a name, a dataset file, or the path of files that may be gone):
    also those of other readings of it, and of what its files were before they changed."""
    bases = [(cache or user_cache()) / kind for kind in ("datasets", COPIES)]
    found = []
    for folder in [folder for base in bases if base.is_dir() for folder in sorted(base.iterdir())]:
        match = _FOLDER.fullmatch(folder.name)
        if match is None or folder.is_symlink() or not folder.is_dir():
            continue
        if name is None or match[1] in _names(name):
            files = [path for path in folder.rglob("*") if path.is_file()]
            fetched = folder.parent.name != COPIES
            downloaded = fetched and (match[1] in registry() or any((folder / "files").glob("*")))
            found.append(CachedTable(match[1], folder, sum(path.stat().st_size for path in files), downloaded))
    return found


def clear(table: CachedTable) -> str:
    """Remove a table, unless it is in use; what keeps it there, in words, empty where it is gone.

    Whoever waits meanwhile to make the table makes it anew. Errors: DataError where the disk refuses."""
    folder = table.folder
    with faults(f"the cache folder {folder}", "cannot be removed", within=folder):
        lock = try_lock(folder / LOCK)
        if lock is None:
            return f"{holder(folder / LOCK)} makes it"
        try:
            readers = mapped_by(folder)
            if readers:
                return f"process {readers[0]} reads it"
            (folder / MANIFEST).unlink(missing_ok=True)  # from here on nobody takes what is left for a table
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != LOCK:
                    path.unlink()
            (folder / LOCK).unlink()  # held by this process: who waits for it looks again, and makes a new one
        finally:
            lock.release()
        try:
            folder.rmdir()
        except OSError:
            return ""  # another process began a new table in it
    return ""


def _names(name: str) -> set[str]:
    """What the tables of this dataset may be called."""
    names = {name, name_of(Path(os.path.expanduser(name)))}
    try:
        return names | ({find(name).name} if name.lower().endswith((".yaml", ".yml")) else set())
    except MillraceError:
        return names
