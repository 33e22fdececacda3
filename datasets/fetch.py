"""All files of a dataset, each from the first address that gives it: verified, in the cache or where they lie."""

import os
import stat
import time
from pathlib import Path

from millrace.datasets.download import Progress, WrongBytes, download
from millrace.datasets.formats import check_file
from millrace.datasets.mirrors import addresses, local_path, shown
from millrace.datasets.patience import Patience
from millrace.datasets.spec import DatasetSpec, FileSpec
from millrace.datasets.transfer import Fault
from millrace.errors import DataError, DownloadError, UsageError
from millrace.storage.files import sweep

FILES = "files"
__all__ = ["Progress", "fetch_files", "local_source"]


def fetch_files(
    spec: DatasetSpec,
    folder: Path,
    mirror: str | None,
    offline: bool,
    progress: Progress | None,
    patience: Patience,
) -> dict[str, Path]:
    """Paths of the dataset's files by name, every one verified against its sizes and digests.

    Files from the network are kept in `folder`/files; local ones are read where they lie.
    """
    kept = folder / FILES
    kept.mkdir(exist_ok=True)
    sweep(kept)
    return {file.name: _fetch(spec, file, kept / file.name, mirror, offline, progress, patience) for file in spec.files}


def local_source(spec: DatasetSpec, file: FileSpec, mirror: str | None) -> Path | None:
    """The first local address of the file where something lies, if there is one."""
    for url in addresses(spec, file, mirror):
        path = local_path(url)
        if path is not None and os.path.isfile(path):
            return path
    return None


def _fetch(
    spec: DatasetSpec,
    file: FileSpec,
    target: Path,
    mirror: str | None,
    offline: bool,
    progress: Progress | None,
    patience: Patience,
) -> Path:
    if target.exists():
        try:
            check_file(file, target)
            return target
        except DataError:
            target.unlink()
    deadline = time.monotonic() + patience.file
    failures: list[tuple[str, Fault]] = []
    for url in addresses(spec, file, mirror):
        try:
            path = local_path(url)
            if path is not None:
                return _read_in_place(file, path)
            if offline:
                raise Fault("not asked, because offline")
            _check_pinned(spec, file, url)
            download(url, file, target, patience, deadline, progress)
            return target
        except Fault as fault:
            failures.append((url, fault))
            # A mirror is asked in two places, but a second time only if it has nothing in the first.
            if mirror is not None and not fault.missing:
                break
    raise _failed(spec, file, failures, mirror, offline)


def _read_in_place(file: FileSpec, path: Path) -> Path:
    try:
        # Anything but a regular file could block for ever or never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Fault("not a file", missing=True)
        check_file(file, path)
    except DataError as error:
        raise WrongBytes(error, passing=False) from None
    except (FileNotFoundError, NotADirectoryError):
        raise Fault("no such file", missing=True) from None
    except OSError as error:
        raise Fault(f"it cannot be read: {error.strerror}") from None
    return path


def _check_pinned(spec: DatasetSpec, file: FileSpec, url: str) -> None:
    if not file.pinned:
        raise UsageError(
            f"{file.name} of dataset {spec.name} has no digest",
            expected="a sha256 for everything that comes over the network",
            got=shown(url),
            do="add sha256 to the dataset file, or give a local copy",
        )


def _failed(
    spec: DatasetSpec, file: FileSpec, failures: list[tuple[str, Fault]], mirror: str | None, offline: bool
) -> DataError:
    wrong = [fault.error for _, fault in failures if isinstance(fault, WrongBytes)]
    kinds = {type(error) for error in wrong}
    # Wrong content everywhere is a fault of the data; anything else, one of getting at it.
    alike = len(kinds) == 1 and len(wrong) == sum(not fault.missing for _, fault in failures)
    kind: type[DataError] = kinds.pop() if alike else DownloadError
    if offline:
        do = "run once without --offline, or give a local copy with --mirror FOLDER"
    elif mirror is not None:
        do = f"check that the mirror holds {spec.mirror_folder}/{file.name}, or leave out --mirror"
    else:
        do = (
            f"check the network, or give --mirror URL-OR-FOLDER that holds {spec.mirror_folder}/{file.name}; "
            "--offline uses only what is in the cache"
        )
    got = "\n            ".join(f"{shown(url)}: {fault.reason}" for url, fault in failures)
    return kind(f"dataset {spec.name}: no address gave {file.name}", got=got or "no address is known", do=do)
