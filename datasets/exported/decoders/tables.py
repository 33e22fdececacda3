"""Columns of Arrow tables to rows; shared by the formats that Arrow reads."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.datasets.exported.rows import PARAMETERS, Rows
from millrace.errors import FormatError


def column(table: pa.Table, name: str, kind: Any) -> npt.NDArray[Any]:
    """A column without nulls as a NumPy array of the type."""
    found = table.column(name)
    if found.null_count:
        raise FormatError(f"column {name} holds nulls", expected=0, got=found.null_count)
    return np.asarray(found.to_numpy(zero_copy_only=False)).astype(kind, copy=False)


def tensors(table: pa.Table, name: str, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """A column of fixed-shape tensors as uint8 (n, C, H, W)."""
    found = table.column(name)
    if found.type != pa.fixed_shape_tensor(pa.uint8(), list(shape)) or found.null_count:
        raise FormatError(f"column {name} has another type", expected=f"tensors of uint8 {shape}", got=str(found.type))
    chunks = [chunk.storage.flatten().to_numpy(zero_copy_only=True) for chunk in found.chunks]
    flat = chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0, np.uint8), *chunks])
    return flat.reshape(-1, *shape)


def rows(table: pa.Table, images: npt.NDArray[np.uint8], originals: npt.NDArray[np.uint8] | None) -> Rows:
    """The rows of a table whose images are decoded."""
    return Rows(
        images,
        column(table, "label", np.uint8),
        column(table, "sample", np.int64),
        column(table, "epoch", np.int32),
        np.stack([column(table, name, np.float32) for name in PARAMETERS], axis=1),
        originals,
    )


def tensor_rows(table: pa.Table, shape: tuple[int, int, int]) -> Rows:
    """The rows of a table that holds images as tensors."""
    originals = tensors(table, "original", shape) if "original" in table.schema.names else None
    return rows(table, tensors(table, "image", shape), originals)
