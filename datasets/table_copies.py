"""Copies of a table's files on other machines: brought in pieces, verified by digest, then renamed and mapped.

A copy lies in the user's cache there, in `copies/NAME-KEY`; KEY is of the content, so a dataset that changed has
another copy. What a killed process left of a file goes on where it ends; the digest covers all of it. What brings the
pieces is given from outside (`PieceSource`): this file knows no network.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from errno import ENOSPC
from pathlib import Path
from typing import Any, Protocol

from millrace.datasets import limits
from millrace.datasets.table import Dataset
from millrace.datasets.table_files import (
    LOCK,
    MANIFEST,
    SPLITS,
    open_tables,
    read_manifest,
    sha256_of,
    write_manifest,
    write_table,
)
from millrace.errors import IntegrityError
from millrace.storage import faults, locked, rename, sweep
from millrace.user_cache import user_cache

COPIES = "copies"  # the folder of all of them, in the user's cache
CHUNK = 1 << 20
DO = "free space on that machine, or set MILLRACE_CACHE=/path/with/room there"


class PieceSource(Protocol):
    """What brings the files from the machine where they lie."""

    def files(self) -> "TableFiles":
        """The files, written by now."""
        ...

    def pieces(self, split: str, first: int) -> Iterator[Any]:
        """The bytes of a split's file from `first` to its end, in order: buffers."""
        ...


@dataclass(frozen=True)
class TableFiles:
    """The files of a dataset's tables, as another machine is told of them. dataset: without its rows; digest: of what
    the tables hold; folder: where the files lie; files: bytes, rows and sha256 of each split's. Folder and files are
    empty while the tables lie in memory alone."""

    dataset: Dataset
    digest: str
    folder: str = ""
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset) -> "TableFiles":
        """Of a dataset of this machine; nothing is written."""
        bare = {split: getattr(dataset, split).schema.empty_table() for split in SPLITS}
        digest = dataset.train.schema.metadata[b"millrace.digest"].decode()
        files = cls(replace(dataset, **bare, folder=None), digest)
        return files if dataset.folder is None else _known(files, Path(dataset.folder))

    @classmethod
    def written(cls, dataset: Dataset) -> "TableFiles":
        """Of a dataset of this machine; tables that lie in memory alone are written into the user's cache.

        Errors: DataError for a disk that is full or may not be written, DeadlineError."""
        known = cls.of(dataset)
        if known.files:
            return known
        folder = _folder(known)
        with _alone(folder):
            if known.opened(folder) is None:
                sweep(folder)
                (folder / MANIFEST).unlink(missing_ok=True)
                files = {}
                for split, table in zip(SPLITS, (dataset.train, dataset.test), strict=True):
                    files[split] = {"rows": table.num_rows, "sha256": write_table(folder / f"{split}.arrow", table)}
                write_manifest(folder, known.digest, files)
        return _known(known, folder)

    def mapped(self) -> Dataset:
        """The dataset, on the machine where its files lie. IntegrityError where they do not any more."""
        opened = self.opened(Path(self.folder))
        if opened is None:
            raise IntegrityError(
                f"the table of {self.dataset.spec.name} is missing or damaged", got=self.folder, do="start once more"
            )
        return opened

    def copied(self, source: PieceSource) -> Dataset:
        """The dataset, mapped from a copy on this machine, which is made where there is none.

        One process makes it, others wait. Errors: DataError for a disk that is full or may not be written,
        IntegrityError for bytes that are not those of the files, DeadlineError, and those of the source."""
        if (there := _found(self)) is not None:
            return there
        folder = _folder(self)
        # Before the lock: where both machines see the same cache, it is this folder that the files are written into.
        files = source.files().files
        with _alone(folder):
            # The process that was waited for may have done the work.
            if (there := _found(self)) is not None:
                return there
            sweep(folder)
            (folder / MANIFEST).unlink(missing_ok=True)
            for split in SPLITS:
                _bring(folder / f"{split}.arrow", split, files[split], source)
            kept = {split: {name: files[split][name] for name in ("rows", "sha256")} for split in SPLITS}
            write_manifest(folder, self.digest, kept)
        return replace(self, folder=str(folder)).mapped()

    def opened(self, folder: Path) -> Dataset | None:
        """The dataset, its tables mapped from this folder; None where it does not hold them whole."""
        found = open_tables(folder, self.dataset.spec)
        if found is None or found.digest != self.digest:
            return None
        return replace(self.dataset, train=found.train, test=found.test, folder=found.folder)

    @property
    def name(self) -> str:
        """Of the folder of a copy."""
        return f"{self.dataset.spec.name}-{self.digest[:12]}"


def _known(files: TableFiles, folder: Path) -> TableFiles:
    """With what the manifest of this folder says; as it is where that says nothing of this content."""
    try:
        manifest = read_manifest(folder)
        if manifest["digest"] != files.digest:
            return files
        entries = {
            split: {name: manifest["files"][split][name] for name in ("bytes", "rows", "sha256")} for split in SPLITS
        }
    except (OSError, ValueError, KeyError, TypeError):
        return files
    return replace(files, folder=str(folder), files=entries)


def _folder(files: TableFiles) -> Path:
    return user_cache() / COPIES / files.name


def _found(files: TableFiles) -> Dataset | None:
    """What this machine has of the content: fetched by itself, on a disk that both see, or a copy."""
    fetched = [user_cache() / "datasets" / Path(files.folder).name] if files.folder else []
    return next((found for folder in (*fetched, _folder(files)) if (found := files.opened(folder)) is not None), None)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder made, and this process alone in it."""
    with ExitStack() as stack:
        stack.enter_context(faults(f"the cache folder {folder}", "cannot be written", do=DO, full=DO, within=folder))
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(locked(folder / LOCK, seconds=limits.LOCK, doing="copying this table"))
        yield


def _bring(path: Path, split: str, entry: Mapping[str, Any], source: PieceSource) -> None:
    """A file, whole and verified, under its name."""
    if path.exists() and path.stat().st_size == entry["bytes"] and sha256_of(path) == entry["sha256"]:
        return
    path.unlink(missing_ok=True)
    aside = path.with_name(f".{path.name}.copy")  # of one name, and not swept: the next process goes on with it
    while True:
        begun = aside.exists()
        digest = _filled(aside, split, int(entry["bytes"]), source)
        if digest == entry["sha256"]:
            rename(aside, path)
            return
        aside.unlink()
        if not begun:
            raise IntegrityError(
                f"{path} did not arrive as it was sent",
                expected=f"sha256:{entry['sha256']}",
                got=f"sha256:{digest}",
                do="look for damage in memory or on the disks of both machines, then start once more",
            )


def _filled(aside: Path, split: str, size: int, source: PieceSource) -> str:
    """Go on with a file to its end, and have it on the disk; the sha256 of all of it."""
    total = hashlib.sha256()
    try:
        with open(aside, "a+b") as file:
            file.seek(0)
            while chunk := file.read(CHUNK):
                total.update(chunk)
            begun = file.tell()
            if shutil.disk_usage(aside.parent).free < size - begun:
                raise OSError(ENOSPC, os.strerror(ENOSPC), str(aside))  # now, and not after most of it was sent
            for piece in source.pieces(split, begun) if begun < size else ():
                total.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno == ENOSPC:  # what cannot be ended does not fill the disk
            aside.unlink(missing_ok=True)
        raise
    return total.hexdigest()
