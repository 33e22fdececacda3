"""Files and folders written under a temporary name, flushed, then renamed: whole or not at all.

After a kill, a power cut or on a full disk the old content is there or the new one, and no part of either.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

UNFINISHED = (".tmp", ".partial")  # the endings of what is being written; earlier versions used the second one too


def temporary(path: Path) -> Path:
    """A hidden name in the same folder that no other process uses, on this machine or another that shares the disk."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")


def is_temporary(path: Path) -> bool:
    """Whether the name is one of `temporary`'s, or of an earlier version."""
    return path.name.startswith(".") and path.name.endswith(UNFINISHED)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file open for writing that takes its name only once all its bytes are on the disk. Errors: OSError."""
    fresh = temporary(path)
    try:
        with open(fresh, "xb") as file:
            yield file
            _flush(file)
        rename(fresh, path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file; it replaces one of the same name. Errors: OSError."""
    with whole_file(path) as file:
        file.write(data)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files as one folder; it replaces what has its name. Errors: OSError; what was there stays then."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = temporary(folder)
    try:
        fresh.mkdir()
        for name, data in files.items():
            with open(fresh / name, "xb") as file:
                file.write(data)
                _flush(file)
        flush_folder(fresh)
        _exchange(fresh, folder)
        flush_folder(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # nothing is left of it after success


def _exchange(fresh: Path, folder: Path) -> None:
    """Rename a finished folder. A folder cannot be renamed over a full one: that is moved away first, and back if the
    new one cannot take its place."""
    if not os.path.lexists(folder):
        fresh.rename(folder)
        return
    old = temporary(folder)
    folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    remove(old)


def rename(source: Path, target: Path) -> None:
    """Rename over what is there, and flush the folder, so that the name survives a power cut."""
    os.replace(source, target)
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, as far as the disk allows it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def sweep(folder: Path, name: str = "") -> None:
    """Remove what killed processes left unfinished in a folder, or of one name in it. Only for the one writer, such as
    who holds its lock."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if is_temporary(path) and path.name.startswith(f".{name}"):
                remove(path)
