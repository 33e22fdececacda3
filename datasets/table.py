"""Decoded datasets as Arrow tables: in memory, or as Arrow IPC files that are memory-mapped.

A table has the columns `image` (`arrow.fixed_shape_tensor`, uint8, C x H x W) and `label` (uint8) in one
chunk. In a cache folder lie train.arrow, test.arrow and table.json, the manifest, written last: sizes,
modification times, row counts and sha256 of both files, and the digest of the content. Opening
compares sizes, times and schema, in about a millisecond; a file that was touched since is read whole
and compared by digest, as is everything on `verify_tables`.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.datasets.arrays import Arrays, U8Array, content_digest
from millrace.datasets.spec import DatasetSpec
from millrace.errors import IntegrityError
from millrace.storage.files import written_aside

TABLE_VERSION = 1
SPLITS = ("train", "test")
MANIFEST = "table.json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Dataset:
    """A dataset ready to use: tables of both splits, and the sha256 (hex) of images, labels and classes."""

    spec: DatasetSpec
    train: pa.Table
    test: pa.Table
    digest: str

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; a label is an index into them."""
        return self.spec.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.train.schema.field("image").type.shape
        return channels, height, width


def images(table: pa.Table) -> U8Array:
    """The images of a table: uint8, shape (n, C, H, W), read-only, without a copy."""
    column = table.column("image")
    shape = tuple(table.schema.field("image").type.shape)
    if column.num_chunks == 0:
        return np.empty((0, *shape), np.uint8)
    pixels: U8Array = _only_chunk(column).storage.flatten().to_numpy(zero_copy_only=True)
    return pixels.reshape(-1, *shape)


def labels(table: pa.Table) -> U8Array:
    """The labels of a table: uint8, shape (n,), read-only, without a copy."""
    column = table.column("label")
    if column.num_chunks == 0:
        return np.empty(0, np.uint8)
    values: U8Array = _only_chunk(column).to_numpy(zero_copy_only=True)
    return values


def _only_chunk(column: Any) -> Any:
    if column.num_chunks != 1:
        raise IntegrityError("a table is in pieces", expected="one chunk", got=f"{column.num_chunks} chunks")
    return column.chunk(0)


def schema(shape: tuple[int, ...], name: str, digest: str) -> pa.Schema:
    """Columns `image` and `label`; the metadata names the dataset, its digest and the table's version."""
    image = pa.fixed_shape_tensor(pa.uint8(), list(shape), dim_names=["channel", "row", "column"])
    return pa.schema(
        [pa.field("image", image, nullable=False), pa.field("label", pa.uint8(), nullable=False)],
        metadata={
            "millrace.dataset": name,
            "millrace.digest": digest,
            "millrace.table_version": str(TABLE_VERSION),
        },
    )


def in_memory(arrays: Arrays, spec: DatasetSpec) -> Dataset:
    """The tables over the arrays' own memory, without a copy; the arrays must not be written to again."""
    digest = content_digest(arrays, spec.classes)
    train, test = (_table(pixels, marks, spec.name, digest) for _, pixels, marks in arrays.splits())
    return Dataset(spec, train, test, digest)


def _table(pixels: U8Array, marks: U8Array, name: str, digest: str) -> pa.Table:
    kind = schema(pixels.shape[1:], name, digest)
    flat = pa.array(np.ascontiguousarray(pixels).reshape(-1))
    storage = pa.FixedSizeListArray.from_arrays(flat, type=kind.field("image").type.storage_type)
    image = pa.ExtensionArray.from_storage(kind.field("image").type, storage)
    return pa.table([image, pa.array(np.ascontiguousarray(marks))], schema=kind)


def write_tables(folder: Path, arrays: Arrays, spec: DatasetSpec) -> None:
    """Write both tables and the manifest into the folder, each aside, flushed and renamed."""
    dataset = in_memory(arrays, spec)
    (folder / MANIFEST).unlink(missing_ok=True)
    entries = {}
    for split, table in zip(SPLITS, (dataset.train, dataset.test), strict=True):
        path = folder / f"{split}.arrow"
        with written_aside(path) as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        entries[split] = _entry(path) | {"rows": table.num_rows, "sha256": _sha256(path)}
    _write_manifest(folder, {"version": TABLE_VERSION, "digest": dataset.digest, "files": entries})


def open_tables(folder: Path, spec: DatasetSpec) -> Dataset | None:
    """The memory-mapped dataset, or None where its files are missing, damaged or of another version."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["version"] != TABLE_VERSION:
            return None
        train, test = (_open(folder / f"{split}.arrow", manifest["files"][split]) for split in SPLITS)
        if train is None or test is None:
            return None
        digest = manifest["digest"]
        shape = train.schema.field("image").type.shape
        expected = schema(shape, spec.name, digest)
        if not all(table.schema.equals(expected, check_metadata=True) for table in (train, test)):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return None
    _refresh(folder, manifest)
    return Dataset(spec, train, test, digest)


def verify_tables(folder: Path, spec: DatasetSpec) -> Dataset:
    """Read both files whole and compare their digests; IntegrityError for the first that differs."""
    dataset = open_tables(folder, spec)
    if dataset is None:
        raise IntegrityError(f"the table of {spec.name} is missing or damaged", got=str(folder))
    manifest = json.loads((folder / MANIFEST).read_bytes())
    for split in SPLITS:
        path = folder / f"{split}.arrow"
        expected, got = manifest["files"][split]["sha256"], _sha256(path)
        if expected != got:
            raise IntegrityError(f"{path} is damaged", expected=f"sha256:{expected}", got=f"sha256:{got}")
    return dataset


def _open(path: Path, entry: dict[str, Any]) -> pa.Table | None:
    found = _entry(path)
    if found["bytes"] != entry["bytes"]:
        return None
    if found["mtime_ns"] != entry["mtime_ns"] and _sha256(path) != entry["sha256"]:
        return None
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    return table if table.num_rows == entry["rows"] else None


def _refresh(folder: Path, manifest: dict[str, Any]) -> None:
    """Note new modification times of files whose digests agreed (a copied cache), where that is possible."""
    times = {split: _entry(folder / f"{split}.arrow")["mtime_ns"] for split in SPLITS}
    if all(times[split] == manifest["files"][split]["mtime_ns"] for split in SPLITS):
        return
    for split in SPLITS:
        manifest["files"][split]["mtime_ns"] = times[split]
    with suppress(OSError):
        _write_manifest(folder, manifest)


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    with written_aside(folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode() + b"\n")


def _entry(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()
