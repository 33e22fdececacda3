"""Where the files of a run lie: a folder on a disk, or any filesystem that pyarrow knows. One contract for both.

A file stands under its name whole or not at all. Times are those of the store's own clock, so that the ages of two
files can be compared wherever they were written from.
"""

import contextlib
import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from millrace.errors import CheckpointError, DataError
from millrace.storage.files import written_aside
from millrace.storage.folder import Folder

ASIDE = ".millrace/"  # where filesystems that cannot put files whole have them written first


@dataclass(frozen=True)
class Stat:
    """size: bytes; modified: seconds, by the store's clock."""

    size: int
    modified: float


class RunStore(Protocol):
    """Names are relative, with slashes. Errors: CheckpointError that names the store."""

    @property
    def location(self) -> str:
        """The address or the absolute path, as people type it; without credentials."""

    def stats(self, under: str = "") -> Mapping[str, Stat]:
        """All files below a folder of the store, by name; none where there is no such folder."""

    def read(self, name: str) -> bytes:
        """A file's bytes; FileNotFoundError where there is none."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole; it replaces one of the same name."""

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""


class DiskStore:
    """A folder on a disk of this machine, or on one that it shares with others."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = str(path)

    def stats(self, under: str = "") -> Mapping[str, Stat]:
        found = {}
        with self._faults("listed"):
            for path in (self._path / under).rglob("*"):
                with contextlib.suppress(FileNotFoundError):  # it may vanish meanwhile
                    if path.is_file() and not path.name.startswith("."):
                        told = path.stat()
                        found[path.relative_to(self._path).as_posix()] = Stat(told.st_size, told.st_mtime)
        return found

    def read(self, name: str) -> bytes:
        with self._faults("read"):
            return (self._path / name).read_bytes()

    def put(self, name: str, data: bytes) -> None:
        with self._faults("written"):
            path = self._path / name
            path.parent.mkdir(exist_ok=True)
            with written_aside(path) as file:
                file.write(data)

    def remove(self, name: str) -> None:
        with self._faults("written"):
            (self._path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _faults(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if what == "read" and isinstance(error, FileNotFoundError):
                raise
            text = error.strerror or repr(error)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            do = "free space on the disk, then `millrace resume` the run" if full else None
            raise CheckpointError(f"{self.location} cannot be {what}", got=text, do=do) from error


class RemoteStore:
    """A folder of any filesystem that pyarrow knows, by its address; see `datasets.exported.Folder`."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.location = folder.location

    def stats(self, under: str = "") -> Mapping[str, Stat]:
        with _as_checkpoint_error():
            found = self._folder.stats(under)
        return {name: Stat(*told) for name, told in found.items() if not name.startswith(ASIDE)}

    def read(self, name: str) -> bytes:
        try:
            return self._folder.read(name).to_pybytes()  # type: ignore[no-any-return]
        except FileNotFoundError:
            raise
        except OSError as error:
            text = error.strerror or str(error).splitlines()[0]
            raise CheckpointError(f"{self.location} cannot be read", got=text) from error

    def put(self, name: str, data: bytes) -> None:
        with _as_checkpoint_error():
            self._folder.put(name, [data])

    def remove(self, name: str) -> None:
        with _as_checkpoint_error():
            self._folder.remove(name)


@contextlib.contextmanager
def _as_checkpoint_error() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise CheckpointError(error.what, expected=error.expected, got=error.got, do=error.do) from error
