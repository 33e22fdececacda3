"""Tables on disk: Arrow IPC files that are memory-mapped, made by one process at a time.

In a dataset's cache folder lie train.arrow, test.arrow and table.json, the manifest, written last: sizes,
modification times, row counts and sha256 of both files, and the digest of the content. Opening
compares sizes, times and schema, in about a millisecond; a file that was touched since is read whole
and compared by digest, as is everything on `verify_tables`. So it is with the files of one's own that a table was made
of: where they were touched since, and hold something else, it is made again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import pyarrow as pa

from millrace.datasets import limits
from millrace.datasets.arrays import Arrays
from millrace.datasets.spec import DatasetSpec
from millrace.datasets.table import TABLE_VERSION, Dataset, in_memory, schema
from millrace.datasets.table_images import OPTIONS, FilledArrays
from millrace.errors import IntegrityError
from millrace.storage import faults, locked, rename, sweep, whole_file, write_whole

SPLITS = ("train", "test")
MANIFEST, LOCK = "table.json", "lock"
_CHUNK = 1 << 20
Making = Arrays | tuple[Arrays, Mapping[str, str]]  # also with what was left out, and why


def _never(content: str) -> bool:
    """What says that files which were touched are others now, where nobody looks."""
    return False


def open_or_make(
    folder: Path,
    spec: DatasetSpec,
    make: Callable[[], Making],
    waiting: Callable[[str, float], None],
    same: Callable[[str], bool] = _never,
) -> Dataset:
    """The memory-mapped dataset; what `make` decodes is written first where the folder has none.

    One process makes it, others wait: `waiting(owner, seconds so far)`. same: as of `open_tables`. Errors: those of
    `make`, DeadlineError, and DataError for a disk that is full or may not be written.
    """
    if (found := open_tables(folder, spec, same)) is not None:
        return found
    do = "choose another folder, such as MILLRACE_CACHE=/path/with/room"
    with faults(f"the cache folder {folder}", "cannot be written", do=do, full=do, within=folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK, seconds=limits.LOCK, waiting=waiting):
            # The process that was waited for may have done the work.
            if (found := open_tables(folder, spec, same)) is not None:
                return found
            sweep(folder)
            made = make()
            arrays, left_out = made if isinstance(made, tuple) else (made, {})
            return write_tables(folder, arrays, spec, left_out)


def write_tables(
    folder: Path, arrays: Arrays, spec: DatasetSpec, left_out: Mapping[str, str] = MappingProxyType({})
) -> Dataset:
    """Write both tables and the manifest into the folder, each whole or not at all; then open them. Images that lie in
    their file already stay there. left_out: what could not be read, and why."""
    dataset = in_memory(arrays, spec)
    (folder / MANIFEST).unlink(missing_ok=True)
    entries = {}
    for place, (split, table) in enumerate(zip(SPLITS, (dataset.train, dataset.test), strict=True)):
        path = folder / f"{split}.arrow"
        if isinstance(arrays, FilledArrays) and table.num_rows:
            arrays.files[place].finish(table)
            digest = sha256_of(arrays.files[place].path)
            rename(arrays.files[place].path, path)
        else:
            digest = write_table(path, table)
        entries[split] = {"rows": table.num_rows, "sha256": digest}
    content = arrays.content if isinstance(arrays, FilledArrays) else ""
    manifest = write_manifest(folder, dataset.digest, entries, left_out, spec.touched, content)
    opened = _open_tables(folder, manifest, spec)
    if opened is None:
        raise IntegrityError(f"the table of {spec.name} was written but does not read back", got=str(folder))
    return opened


def write_table(path: Path, table: pa.Table) -> str:
    """Write a table's file; the sha256 of its bytes."""
    with whole_file(path) as file:
        digested = _Digested(file)
        with pa.ipc.new_file(digested, table.schema, options=OPTIONS) as writer:
            writer.write_table(table)
    return str(digested.total.hexdigest())


def open_tables(folder: Path, spec: DatasetSpec, same: Callable[[str], bool] = _never) -> Dataset | None:
    """The memory-mapped dataset, or None where its files are missing, damaged or of another version; also where those
    that it was made of were touched since, and `same` says that they are not of this content any more."""
    try:
        manifest = read_manifest(folder)
        touched = bool(spec.touched) and manifest.get("touched", spec.touched) != spec.touched
        if manifest["version"] != TABLE_VERSION or (touched and not same(manifest.get("content", ""))):
            return None
        opened = _open_tables(folder, manifest, spec)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return None
    if opened is not None:
        _refresh(folder, manifest, spec.touched if touched else "")
    return opened


def read_manifest(folder: Path) -> Any:
    """The manifest of a folder's tables. Errors: OSError, ValueError."""
    return json.loads((folder / MANIFEST).read_bytes())


def verify_tables(folder: Path, spec: DatasetSpec, same: Callable[[str], bool] = _never) -> Dataset:
    """Read both files whole and compare their digests; IntegrityError for the first that differs."""
    dataset = open_tables(folder, spec, same)
    if dataset is None:
        raise IntegrityError(f"the table of {spec.name} is missing or damaged", got=str(folder))
    manifest = read_manifest(folder)
    for split in SPLITS:
        path = folder / f"{split}.arrow"
        expected, got = manifest["files"][split]["sha256"], sha256_of(path)
        if expected != got:
            raise IntegrityError(f"{path} is damaged", expected=f"sha256:{expected}", got=f"sha256:{got}")
    return dataset


class _Digested:
    """A file that is written from its beginning to its end; its bytes are digested on the way."""

    closed = False  # pyarrow asks; whoever opened the file closes it

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.total = file, hashlib.sha256()
        self.tell, self.flush = file.tell, file.flush

    def write(self, data: Any) -> int:
        self.total.update(data)
        return self._file.write(data)


def _open_tables(folder: Path, manifest: dict[str, Any], spec: DatasetSpec) -> Dataset | None:
    train, test = (_open(folder / f"{split}.arrow", manifest["files"][split]) for split in SPLITS)
    if train is None or test is None:
        return None
    expected = schema(train.schema.field("image").type.shape, spec.name, manifest["digest"], len(spec.classes))
    if not all(table.schema.equals(expected, check_metadata=True) for table in (train, test)):
        return None
    return Dataset(spec, train, test, manifest["digest"], left_out=manifest.get("left_out", {}), folder=str(folder))


def _open(path: Path, entry: dict[str, Any]) -> pa.Table | None:
    found = _entry(path)
    if found["bytes"] != entry["bytes"]:
        return None
    if found["mtime_ns"] != entry["mtime_ns"] and sha256_of(path) != entry["sha256"]:
        return None
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    return table if table.num_rows == entry["rows"] else None


def _refresh(folder: Path, manifest: dict[str, Any], touched: str) -> None:
    """Note new modification times of files whose digests agreed (a copied cache), and when those were touched that the
    table was made of, if their content is the same: where that is possible."""
    times = {split: _entry(folder / f"{split}.arrow")["mtime_ns"] for split in SPLITS}
    if not touched and all(times[split] == manifest["files"][split]["mtime_ns"] for split in SPLITS):
        return
    for split in SPLITS:
        manifest["files"][split]["mtime_ns"] = times[split]
    if touched:
        manifest["touched"] = touched
    with suppress(OSError):
        _put_manifest(folder, manifest)


def write_manifest(
    folder: Path,
    digest: str,
    files: Mapping[str, Mapping[str, Any]],
    left_out: Mapping[str, str] = MappingProxyType({}),
    touched: str = "",
    content: str = "",
) -> dict[str, Any]:
    """Write what makes files of tables in a folder a dataset, and return it. digest: of the tables' content; files:
    rows and sha256 of each split's; touched: as in the specification; content: a digest of what they were made of."""
    entries = {split: _entry(folder / f"{split}.arrow") | dict(files[split]) for split in SPLITS}
    manifest = {"version": TABLE_VERSION, "digest": digest, "files": entries}
    if touched:
        manifest |= {"touched": touched, "content": content}
    if left_out:
        manifest["left_out"] = dict(left_out)
    _put_manifest(folder, manifest)
    return manifest


def _put_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n")


def _entry(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def sha256_of(path: Path) -> str:
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()
