"""Rows as columns of Arrow: image, label, sample, epoch and the drawn parameters, there and back."""

import json
import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.columns import column_of
from millrace.errors import FormatError
from millrace.formats.rows import BITS, PARAMETERS, Rows
from millrace.formats.shards import ShardInfo
from millrace.labels import label_type, narrowed


@lru_cache(maxsize=16)
def image_type(shape: tuple[int, int, int]) -> pa.DataType:
    """The Arrow type of an image column: fixed_shape_tensor of uint8, shape (C, H, W)."""
    return pa.fixed_shape_tensor(pa.uint8(), shape)


def image_array(images: npt.NDArray[np.uint8]) -> pa.Array:
    """Images, uint8 (n, C, H, W) and C-contiguous, as an Arrow array over the same memory."""
    kind = image_type((images.shape[1], images.shape[2], images.shape[3]))
    pixels = math.prod(images.shape[1:])
    return pa.ExtensionArray.from_storage(
        kind, pa.FixedSizeListArray.from_arrays(column_of(images.reshape(-1)), pixels)
    )


def plain(rows: Rows, label: Any) -> tuple[list[pa.Array], list[pa.Field]]:
    """Arrays and fields of everything but the images; label: the Arrow type of the labels."""
    drawn = np.ascontiguousarray(rows.parameters.T)
    arrays = [
        column_of(rows.labels.astype(label.to_pandas_dtype(), copy=False)),
        column_of(rows.samples),
        column_of(rows.epochs),
    ]
    kinds = [label, pa.int64(), pa.int32()]
    for name, values in zip(PARAMETERS, drawn, strict=True):
        arrays.append(column_of(values != 0.0 if name == BITS else values))
        kinds.append(pa.bool_() if name == BITS else pa.float32())
    names = ("label", "sample", "epoch", *PARAMETERS)
    return arrays, [pa.field(name, kind, nullable=False) for name, kind in zip(names, kinds, strict=True)]


def label_kind(info: ShardInfo) -> pa.DataType:
    """The Arrow type of the label column, as narrow as the classes allow."""
    return pa.from_numpy_dtype(label_type(len(info.classes)))


def tensor_batch(rows: Rows, info: ShardInfo) -> pa.RecordBatch:
    """The rows with images as fixed-shape tensors, without a copy of the pixels."""
    arrays, _ = plain(rows, label_kind(info))
    arrays = [image_array(np.ascontiguousarray(rows.images)), *arrays]
    if rows.originals is not None:
        arrays.append(image_array(np.ascontiguousarray(rows.originals)))
    return pa.RecordBatch.from_arrays(arrays, schema=tensor_schema(rows, info))


def tensor_schema(rows: Rows, info: ShardInfo) -> pa.Schema:
    """The columns with images as fixed-shape tensors; the metadata says what the shard is."""
    _, fields = plain(rows.part(0, 0), label_kind(info))
    fields = [pa.field("image", image_type(info.shape), nullable=False), *fields]
    if rows.originals is not None:
        fields.append(pa.field("original", image_type(info.shape), nullable=False))
    return pa.schema(fields, metadata=metadata(info))


def metadata(info: ShardInfo) -> dict[bytes, bytes]:
    """What a shard says of itself, as JSON for the schema's metadata."""
    return {b"millrace": json.dumps(info.about).encode()}


def tensor_rows(table: pa.Table, info: ShardInfo) -> Rows:
    """The rows of a table that holds images as tensors. Errors: FormatError; KeyError where a column is missing."""
    originals = _tensors(table, "original", info.shape) if "original" in table.schema.names else None
    return rows_of(table, info, _tensors(table, "image", info.shape), originals)


def rows_of(
    table: pa.Table, info: ShardInfo, images: npt.NDArray[np.uint8], originals: npt.NDArray[np.uint8] | None
) -> Rows:
    """The rows of a table whose images are decoded. FormatError for a label that is no class."""
    return Rows(
        images,
        narrowed(_column(table, "label", np.int64), len(info.classes), "column label"),
        _column(table, "sample", np.int64),
        _column(table, "epoch", np.int32),
        np.stack([_column(table, name, np.float32) for name in PARAMETERS], axis=1),
        originals,
    )


def _column(table: pa.Table, name: str, kind: Any) -> npt.NDArray[Any]:
    found = table.column(name)
    if found.null_count:
        raise FormatError(f"column {name} holds nulls", expected=0, got=found.null_count)
    return np.asarray(found.to_numpy(zero_copy_only=False)).astype(kind, copy=False)


def _tensors(table: pa.Table, name: str, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    found = table.column(name)
    if found.type != image_type(shape) or found.null_count:
        raise FormatError(f"column {name} has another type", expected=f"tensors of uint8 {shape}", got=str(found.type))
    chunks = [chunk.storage.flatten().to_numpy(zero_copy_only=True) for chunk in found.chunks]
    flat = chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0, np.uint8), *chunks])
    return flat.reshape(-1, *shape)
