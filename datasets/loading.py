"""From a specification to a dataset in memory: fetch, verify, decode, keep, memory-map.

In the cache a dataset has a folder `datasets/NAME-KEY`; KEY is a digest of everything in the
specification that decides the content. Verified downloads are kept there beside the tables made of
them, so that a damaged table is made anew without a network; the whole folder may be deleted at any time.
The embedded digits and the points live in memory alone and need no cache.
"""

from pathlib import Path

from millrace.datasets.exported.dataset import FORMAT as EXPORT
from millrace.datasets.exported.dataset import open_export
from millrace.datasets.fetch import Progress, fetch_files, local_source
from millrace.datasets.formats import decode
from millrace.datasets.patience import Patience
from millrace.datasets.spec import BUILT_IN, DatasetSpec
from millrace.datasets.table import TABLE_VERSION, Dataset, in_memory, open_tables, verify_tables, write_tables
from millrace.errors import IntegrityError
from millrace.storage.files import storage_errors, sweep
from millrace.storage.lock import locked
from millrace.user_cache import user_cache

LOCK = "lock"


def load(
    spec: DatasetSpec,
    *,
    mirror: str | None = None,
    offline: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Dataset:
    """The dataset, from the cache if it is there, else fetched, verified, decoded and kept.

    `mirror` (http, https, file, or a folder) replaces all other addresses. With `offline` nothing but
    the cache and local files is read. `progress(file, bytes done, total or None)` is called while
    fetching. Errors: DownloadError, IntegrityError, FormatError, DataError (disk), DeadlineError.
    """
    if spec.format in BUILT_IN:
        return in_memory(decode(spec, {}), spec)
    if spec.format == EXPORT:
        return open_export(spec)
    folder = dataset_folder(spec, cache=cache, mirror=mirror)
    if (found := open_tables(folder, spec)) is not None:
        return found
    with storage_errors(folder):
        return _make(spec, folder, mirror, offline, progress, patience or Patience())


def _make(
    spec: DatasetSpec, folder: Path, mirror: str | None, offline: bool, progress: Progress | None, patience: Patience
) -> Dataset:
    def waiting(owner: str, waited: float) -> None:
        if progress is not None:
            progress(f"waiting for {owner}", int(waited), None)

    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, seconds=patience.lock, waiting=waiting):
        # The process that was waited for may have done the work.
        if (found := open_tables(folder, spec)) is not None:
            return found
        sweep(folder)
        paths = fetch_files(spec, folder, mirror, offline, progress, patience)
        write_tables(folder, decode(spec, paths), spec)
        made = open_tables(folder, spec)
    if made is None:
        raise IntegrityError(f"the table of {spec.name} was written but does not read back", got=str(folder))
    return made


def dataset_folder(spec: DatasetSpec, *, cache: Path | None = None, mirror: str | None = None) -> Path:
    """The dataset's folder in the cache.

    Local files without a digest count by path, size and time of change: a changed file is another dataset.
    """
    sources = []
    for file in spec.files:
        path = None if file.pinned else local_source(spec, file, mirror)
        if path is not None:
            status = path.stat()
            sources.append([str(path), status.st_size, status.st_mtime_ns])
    key = spec.key([TABLE_VERSION, sources])
    return (cache or user_cache()) / "datasets" / f"{spec.name}-{key[:12]}"


def is_cached(spec: DatasetSpec, *, cache: Path | None = None, mirror: str | None = None) -> bool:
    """Whether `load` would need neither network nor decoding."""
    return (
        spec.format in (*BUILT_IN, EXPORT)
        or open_tables(dataset_folder(spec, cache=cache, mirror=mirror), spec) is not None
    )


def verify(spec: DatasetSpec, *, cache: Path | None = None, mirror: str | None = None) -> Dataset:
    """Read the cached table whole and compare its digests; IntegrityError if it is missing or damaged."""
    if spec.format in (*BUILT_IN, EXPORT):
        return load(spec)
    return verify_tables(dataset_folder(spec, cache=cache, mirror=mirror), spec)
