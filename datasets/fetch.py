"""All files of a dataset, each from the first address that gives it: read once, in the cache or where they lie."""

import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from millrace.datasets import limits
from millrace.datasets.download import Progress, WrongBytes, download
from millrace.datasets.http import Fault
from millrace.datasets.mirrors import addresses, local_path, shown
from millrace.datasets.spec import DatasetSpec, FileSpec
from millrace.errors import DataError, DownloadError, UsageError
from millrace.storage import sweep

T = TypeVar("T")


def fetch_files(
    spec: DatasetSpec,
    folder: Path,
    read: Callable[[FileSpec, Path], T],
    *,
    mirror: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> list[T]:
    """What `read` makes of the dataset's files, in their order; it verifies them, with a DataError for wrong bytes.

    Files from the network are kept in `folder`; local ones are read where they lie. Each file is read once,
    unless an address gave wrong bytes. Errors: DownloadError, or the DataError where all addresses gave wrong bytes.
    """
    folder.mkdir(exist_ok=True)
    sweep(folder)
    return [_fetch(spec, file, folder / file.name, read, mirror, offline, progress) for file in spec.files]


def _fetch(
    spec: DatasetSpec,
    file: FileSpec,
    target: Path,
    read: Callable[[FileSpec, Path], T],
    mirror: str | None,
    offline: bool,
    progress: Progress | None,
) -> T:
    if target.exists():
        try:
            return read(file, target)
        except DataError:
            target.unlink()
    until = time.monotonic() + limits.FILE
    failures: list[tuple[str, Fault]] = []
    for kept in _kept_by_others(spec, file, target.parent):
        with suppress(Fault):  # a damaged copy is that dataset's own affair
            return _read_in_place(file, kept, read)
    for url in addresses(spec, file, mirror):
        try:
            path = local_path(url)
            if path is not None:
                return _read_in_place(file, path, read)
            if offline:
                raise Fault("not asked, because offline")
            _check_pinned(spec, file, url)
            return download(url, file, target, lambda path: read(file, path), until, progress)
        except Fault as fault:
            failures.append((url, fault))
            # A mirror is asked in two places, but a second time only if it has nothing in the first.
            if mirror is not None and not fault.missing:
                break
    raise _failed(spec, file, failures, mirror, offline)


def _kept_by_others(spec: DatasetSpec, file: FileSpec, folder: Path) -> list[Path]:
    """The same file where datasets of the same publisher's folder keep it in the cache: EMNIST's are all in one zip."""
    if not spec.folder or not file.pinned:
        return []
    found = folder.parent.parent.glob(f"{spec.folder}*/{folder.name}/{file.name}")
    return [path for path in sorted(found) if path.parent != folder]


def _read_in_place(file: FileSpec, path: Path, read: Callable[[FileSpec, Path], T]) -> T:
    try:
        # Anything but a regular file could block for ever or never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Fault("not a file", missing=True)
        return read(file, path)
    except DataError as error:
        raise WrongBytes(error) from None
    except (FileNotFoundError, NotADirectoryError):
        raise Fault("no such file", missing=True) from None
    except OSError as error:
        raise Fault(f"it cannot be read: {error.strerror}") from None


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
        do = "run once without `offline`, or give a local copy with `mirror=FOLDER`"
    elif mirror is not None:
        do = f"check that the mirror holds {spec.mirror_folder}/{file.name}, or leave out `mirror`"
    else:
        do = (
            f"check the network, or give a `mirror` (a URL or a folder) that holds {spec.mirror_folder}/{file.name}; "
            "`offline` uses only what is in the cache"
        )
    got = "\n            ".join(f"{shown(url)}: {fault.reason}" for url, fault in failures)
    return kind(f"dataset {spec.name}: no address gave {file.name}", got=got or "no address is known", do=do)
