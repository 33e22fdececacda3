"""Decoders: the verified bytes of a shard become rows. One file per format; this is the table of them."""

import struct
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pyarrow as pa

from millrace.datasets.exported.manifest import Manifest
from millrace.datasets.exported.rows import Rows
from millrace.errors import FormatError, unknown_name

FORMATS = ("parquet", "arrow", "huggingface", "webdataset", "npz", "imagefolder")
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
Fetch = Callable[[str], Any]  # the name of another file of the export → its bytes


def decode(data: pa.Buffer, manifest: Manifest, fetch: Fetch, what: str) -> Rows:
    """The rows of a shard's bytes. fetch gives files that the bytes refer to. FormatError naming `what`."""
    if manifest.format not in FORMATS:
        raise unknown_name("format", manifest.format, FORMATS)
    module = import_module(f"millrace.datasets.exported.decoders.{manifest.format}")
    try:
        rows: Rows = module.decode(data, manifest, fetch)
    except FormatError:
        raise
    except _DAMAGE as error:
        text = str(error).splitlines()[0] if str(error) else ""
        raise FormatError(f"{what} does not decode", got=f"{type(error).__name__}: {text}"[:300]) from None
    return _checked(rows, manifest, what)


def _checked(rows: Rows, manifest: Manifest, what: str) -> Rows:
    count = len(rows.labels)
    for column in rows:
        if column is not None and len(column) != count:
            raise FormatError(f"{what}: columns of unequal length", expected=count, got=len(column))
    if rows.images.shape != (count, *manifest.shape):
        raise FormatError(f"{what}: images of the wrong shape", expected=manifest.shape, got=rows.images.shape[1:])
    if count and int(rows.labels.max()) >= len(manifest.classes):
        raise FormatError(f"{what}: a label has no class", expected=f"below {len(manifest.classes)}")
    return rows
