"""Shards by the name of their format: rows to bytes, and bytes to rows that are checked."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pyarrow as pa

from millrace.errors import FormatError, unknown_name
from millrace.formats import FORMATS
from millrace.formats.rows import Rows

Files = list[tuple[str, bytes]]
Fetch = Callable[[str], Any]  # the name of another file of the export → its bytes

# What Arrow, Pillow, zipfile and NumPy raise for damage of every kind.
_DAMAGE = (
    pa.ArrowException,
    zlib.error,
    struct.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class ShardInfo:
    """What is known of a shard beyond its rows: it holds rows [first, first + rows) of a split.

    shape: channels, height and width of every image. originals: whether the untouched images lie there too. about:
    JSON-able, what formats with metadata say of the shard. millrace: the version that writes.
    """

    shape: tuple[int, int, int]
    classes: Sequence[str]
    split: str
    first: int
    rows: int
    originals: bool
    about: Mapping[str, Any] = field(default_factory=dict)
    millrace: str = ""


def encode(name: str, rows: Rows, info: ShardInfo) -> tuple[Sequence[Any], Files]:
    """The parts of the shard's file, buffers to be written one after another; and other files by name."""
    return _format(name).encode(rows, info)  # type: ignore[no-any-return]


def decode(name: str, data: Any, info: ShardInfo, fetch: Fetch, what: str) -> Rows:
    """The rows of a shard's bytes, a buffer. fetch gives files that the bytes refer to. FormatError naming `what`."""
    module = _format(name)
    try:
        rows: Rows = module.decode(data, info, fetch)
    except FormatError:
        raise
    except _DAMAGE as error:
        text = str(error).splitlines()[0] if str(error) else ""
        raise FormatError(f"{what} does not decode", got=f"{type(error).__name__}: {text}"[:300]) from None
    return _checked(rows, info, what)


def heading(name: str, info: ShardInfo) -> tuple[str, bytes] | None:
    """For formats that join a split's shards into one file in the end: its name and its first bytes."""
    return _format(name).heading(info) if name == "imagefolder" else None


def _format(name: str) -> Any:
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    return import_module(f"millrace.formats.{name}")


def _checked(rows: Rows, info: ShardInfo, what: str) -> Rows:
    for column in rows:
        if column is not None and len(column) != info.rows:
            raise FormatError(f"{what} holds another number of rows", expected=info.rows, got=len(column))
    if rows.images.shape != (info.rows, *info.shape):
        raise FormatError(f"{what}: images of the wrong shape", expected=info.shape, got=rows.images.shape[1:])
    if info.rows and int(rows.labels.max()) >= len(info.classes):
        raise FormatError(f"{what}: a label has no class", expected=f"below {len(info.classes)}")
    return rows
