"""From a specification to a dataset in memory: fetch, verify and decode in one reading, keep, memory-map.

In the cache a dataset has a folder `datasets/NAME-KEY`; KEY is a digest of everything in the
specification that decides the content. Downloads are kept there in `files` beside the tables made of
them, so that a damaged table is made again without a network; the whole folder may be deleted at any time.
The embedded digits and the points live in memory alone and need no cache.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from millrace.datasets import decoding
from millrace.datasets.arrays import Arrays
from millrace.datasets.decoders import assembled, built_in, read_file
from millrace.datasets.download import Progress
from millrace.datasets.exported.dataset import FORMAT as EXPORT
from millrace.datasets.exported.dataset import open_export
from millrace.datasets.fetch import fetch_files
from millrace.datasets.importers import array_tables
from millrace.datasets.importers.array_survey import ArraySurvey
from millrace.datasets.importers.path_spec import PathSpec
from millrace.datasets.mirrors import local_source
from millrace.datasets.spec import BUILT_IN, DatasetSpec
from millrace.datasets.table import TABLE_VERSION, Dataset, in_memory
from millrace.datasets.table_files import Making, open_or_make, open_tables, verify_tables
from millrace.errors import DataError
from millrace.user_cache import user_cache


def load(
    spec: DatasetSpec,
    *,
    mirror: str | None = None,
    offline: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The dataset, from the cache if it is there, else fetched, verified, decoded and kept.

    `mirror` (http, https, file, or a folder) replaces all other addresses. With `offline` nothing but
    the cache and local files is read. `progress(file, bytes done, total or None)` is called while
    fetching. Errors: DownloadError, IntegrityError, FormatError, DataError (disk), DeadlineError.
    """
    if spec.format in BUILT_IN:
        return in_memory(built_in(spec), spec)
    if spec.format == EXPORT:
        return open_export(spec)
    folder = dataset_folder(spec, cache=cache, mirror=mirror)

    def waiting(owner: str, waited: float) -> None:
        if progress is not None:
            progress(f"waiting for {owner}", int(waited), None)

    if isinstance(spec, PathSpec):
        made = open_or_make(folder, spec, lambda: _of_path(spec, folder, progress), waiting, _same(spec))
        return replace(made, spec=spec.without(len(made.left_out))) if made.left_out else made

    def make() -> Arrays:
        read = fetch_files(
            spec,
            folder / "files",
            lambda file, path: read_file(spec, file, path),
            mirror=mirror,
            offline=offline,
            progress=progress,
        )
        return assembled(spec, read)

    return open_or_make(folder, spec, make, waiting)


def _of_path(spec: PathSpec, folder: Path, progress: Progress | None) -> Making:
    """The arrays of files of one's own; where they have no test split, it is drawn."""
    survey = spec.surveyed
    if survey.encoded:
        made = decoding.make_tables(spec, folder, report=progress)
        return made.arrays, made.left_out
    if isinstance(survey, ArraySurvey):
        return array_tables.filled(survey, spec, folder, progress)
    raise DataError(f"{spec.location} holds neither pictures nor arrays", got=survey.inventory.kind)


def _same(spec: DatasetSpec) -> Callable[[str], bool]:
    """What says whether the files of a dataset still have a content."""
    return lambda content: isinstance(spec, PathSpec) and bool(content) and decoding.same_content(spec, content)


def dataset_folder(spec: DatasetSpec, *, cache: Path | None = None, mirror: str | None = None) -> Path:
    """The dataset's folder in the cache.

    Local files without a digest count by path, size and time of change: a changed file is another dataset.
    """
    if isinstance(spec, PathSpec):
        key = spec.key(_path_key(spec))
        return (cache or user_cache()) / "datasets" / f"{spec.name}-{key[:12]}"
    sources = []
    for file in spec.files:
        path = None if file.pinned else local_source(spec, file, mirror)
        if path is not None:
            status = path.stat()
            sources.append([str(path), status.st_size, status.st_mtime_ns])
    key = spec.key([TABLE_VERSION, sources])
    return (cache or user_cache()) / "datasets" / f"{spec.name}-{key[:12]}"


def _path_key(spec: PathSpec) -> list[object]:
    """All that decides the content: where the files lie, their names, sizes and times, how they are read, by what."""
    survey = spec.surveyed
    return [
        TABLE_VERSION,
        spec.location,
        survey.inventory.digest,
        spec.reading.as_dict(),
        decoding.versions() if survey.encoded else [],
    ]


def is_cached(spec: DatasetSpec, *, cache: Path | None = None, mirror: str | None = None) -> bool:
    """Whether `load` would need neither network nor decoding."""
    return (
        spec.format in (*BUILT_IN, EXPORT)
        or open_tables(dataset_folder(spec, cache=cache, mirror=mirror), spec, _same(spec)) is not None
    )


def verify(spec: DatasetSpec, *, cache: Path | None = None, mirror: str | None = None) -> Dataset:
    """Read the cached table whole and compare its digests; IntegrityError if it is missing or damaged."""
    if spec.format in (*BUILT_IN, EXPORT):
        return load(spec)
    return verify_tables(dataset_folder(spec, cache=cache, mirror=mirror), spec, _same(spec))
