"""Arrays of NumPy as columns of Arrow and back, over the same memory.

pyarrow's own `pa.array` and `to_numpy` import pandas where it is installed, and `flatten` its compute functions: a
process that wants its first batch would wait for them, up to half a second.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def column_of(values: npt.NDArray[Any]) -> pa.Array:
    """Numbers (n,) as an Arrow array of their type, without a copy where they are contiguous; truths become bits."""
    if values.dtype == np.bool_:
        return pa.Array.from_buffers(
            pa.bool_(), len(values), [None, pa.py_buffer(np.packbits(values, bitorder="little"))], 0
        )
    flat = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(flat)], 0)


def values_of(column: pa.Array) -> npt.NDArray[Any]:
    """An Arrow array of numbers as a read-only view (n,) of its memory; truths, which are bits there, as a copy.

    Errors, as of pyarrow: ArrowInvalid where it holds nulls, or less memory than its length asks for."""
    if column.null_count:
        raise pa.ArrowInvalid(f"a column of numbers: expected no nulls, got {column.null_count}")
    first, count, bits = column.offset, len(column), pa.types.is_boolean(column.type)
    kind, memory = np.dtype(column.type.to_pandas_dtype()), column.buffers()[1]
    if count and (memory is None or 8 * memory.size < (first + count) * (1 if bits else 8 * kind.itemsize)):
        raise pa.ArrowInvalid(f"a column of numbers: expected memory for {first + count} of {kind}, got less")
    if not count:
        values = np.empty(0, kind)
    elif bits:
        found = np.frombuffer(memory, np.uint8, -(-(first + count) // 8))
        values = np.unpackbits(found, count=first + count, bitorder="little")[first:].view(np.bool_)
    else:
        values = np.frombuffer(memory, kind, count, first * kind.itemsize)
    values.flags.writeable = False
    return values


def tensors_of(column: pa.Array) -> npt.NDArray[Any]:
    """An Arrow array of fixed-shape tensors as a read-only view (n, …) of its memory."""
    storage, shape = column.storage, tuple(column.type.shape)
    found = values_of(storage.values).reshape(-1, *shape)
    return found[storage.offset : storage.offset + len(storage)]
