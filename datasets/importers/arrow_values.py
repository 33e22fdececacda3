"""Values of Arrow columns, and what pyarrow raises where a file is damaged."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from millrace.errors import DataError, FormatError


@contextmanager
def faults(what: str) -> Iterator[None]:
    """Raise what pyarrow says of a damaged file as a FormatError, what the disk says as a DataError."""
    try:
        yield
    except (pa.ArrowException, ValueError, KeyError, TypeError, IndexError, OverflowError, MemoryError) as error:
        raise FormatError(
            f"{what} is damaged", got=(str(error).splitlines() or [type(error).__name__])[0][:300]
        ) from error
    except OSError as error:
        if error.errno is None:  # pyarrow's own: what it found in the file
            raise FormatError(
                f"{what} is damaged", got=(str(error).splitlines() or ["cannot be read"])[0][:300]
            ) from error
        raise DataError(f"{what} cannot be read", got=error.strerror or error) from error


def decoded(column: Any) -> Any:
    """A column, Array or ChunkedArray, without a dictionary: as one that holds its values."""
    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


def picture_bytes(column: pa.Array, row: int) -> bytes | None:
    """The bytes of one row of a column of pictures: binary of any kind, or a struct with the field `bytes`."""
    value = column[row]
    if pa.types.is_struct(column.type):
        value = value["bytes"] if value.is_valid else None
    found = None if value is None else value.as_py()
    return found if found is None or isinstance(found, bytes) else bytes(found)
