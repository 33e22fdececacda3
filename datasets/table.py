"""Decoded datasets as Arrow tables.

A table has the columns `image` (`arrow.fixed_shape_tensor`, uint8, C x H x W) and `label` (uint8,
or uint16 where there are more than 256 classes) in one chunk. `table_files` keeps them on disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.columns import column_of, tensors_of, values_of
from millrace.datasets.arrays import Arrays, U8Array, content_digest
from millrace.datasets.spec import DatasetSpec
from millrace.errors import IntegrityError
from millrace.labels import Labels, label_type, narrowed

TABLE_VERSION = 1


@dataclass(frozen=True)
class Dataset:
    """A dataset ready to use: tables of both splits, and the sha256 (hex) of images, labels and classes. left_out: what
    of one's own files could not be read, and why. folder: of the files that the tables are mapped from, on the machine
    that opened them; None for tables in memory."""

    spec: DatasetSpec
    train: pa.Table
    test: pa.Table
    digest: str
    left_out: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    folder: str | None = field(default=None, kw_only=True, repr=False, compare=False)

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
    return tensors_of(_only_chunk(column))


def labels(table: pa.Table) -> Labels:
    """The labels of a table: uint8 or uint16, shape (n,), read-only, without a copy."""
    column = table.column("label")
    if column.num_chunks == 0:
        return np.empty(0, column.type.to_pandas_dtype())
    return values_of(_only_chunk(column))


def _only_chunk(column: Any) -> Any:
    if column.num_chunks != 1:
        raise IntegrityError("a table is in pieces", expected="one chunk", got=f"{column.num_chunks} chunks")
    return column.chunk(0)


def schema(shape: tuple[int, ...], name: str, digest: str, classes: int) -> pa.Schema:
    """Columns `image` and `label`; the metadata names the dataset, its digest and the table's version.
    classes: their number, which decides the type of the labels."""
    image = pa.fixed_shape_tensor(pa.uint8(), list(shape), dim_names=["channel", "row", "column"])
    label = pa.from_numpy_dtype(label_type(classes))
    return pa.schema(
        [pa.field("image", image, nullable=False), pa.field("label", label, nullable=False)],
        metadata={
            "millrace.dataset": name,
            "millrace.digest": digest,
            "millrace.table_version": str(TABLE_VERSION),
        },
    )


def in_memory(arrays: Arrays, spec: DatasetSpec) -> Dataset:
    """The tables over the arrays' own memory, without a copy; the arrays must not be written to again.

    Labels of another width than the classes want are copied into it; FormatError for one that is no class."""
    classes = len(spec.classes)
    train_labels, test_labels = (
        values
        if values.dtype == label_type(classes)
        else narrowed(values, classes, f"dataset {spec.name}, split {split}")
        for split, _, values in arrays.splits()
    )
    arrays = replace(arrays, train_labels=train_labels, test_labels=test_labels)
    digest = content_digest(arrays, spec.classes)
    train, test = (
        _table(pixels, values, schema(pixels.shape[1:], spec.name, digest, classes))
        for _, pixels, values in arrays.splits()
    )
    return Dataset(spec, train, test, digest)


def _table(pixels: U8Array, values: Labels, kind: pa.Schema) -> pa.Table:
    flat = column_of(np.ascontiguousarray(pixels).reshape(-1))
    storage = pa.FixedSizeListArray.from_arrays(flat, type=kind.field("image").type.storage_type)
    image = pa.ExtensionArray.from_storage(kind.field("image").type, storage)
    return pa.table([image, column_of(values)], schema=kind)
