"""Parquet files of images, made by hand, because of the speed.

Parquet stores a small integer as 32 bits and, in a list, with two levels. A general writer makes these value by
value; here all of them are known: lists of one length without nulls, so the levels are runs, and pixels split into
streams of bytes (BYTE_STREAM_SPLIT) are the pixels themselves and three times as many zeros. What is left to do is
to compress. The files are the same to any reader, at a quarter of the cost of pyarrow's writer. (With images as
`fixed_size_binary` pyarrow is as quick as this, but then readers see bytes where they see tensors or lists now.)

Source: the Apache Parquet format, 2.x: parquet.thrift, Encodings.md.
"""

import base64
import struct as binary
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.formats.thrift import (
    BINARY,
    BYTE,
    I16,
    I32,
    I64,
    LIST,
    STRUCT,
    Field,
    boolean,
    struct,
    varint,
)

MAGIC = b"PAR1"
BOOLEAN, INT32, INT64, FLOAT = 0, 1, 2, 4  # physical types
REQUIRED, OPTIONAL, REPEATED = 0, 1, 2
PLAIN, RLE, BYTE_STREAM_SPLIT = 0, 3, 9  # encodings
ZSTD, LIST_TYPE = 6, 3
UNSIGNED = {8: 11, 16: 12}  # bits → what the old words call whole numbers without a sign
PAGE = 1024  # rows of a page of images
U8Array = npt.NDArray[np.uint8]
_TYPES = {"u1": INT32, "u2": INT32, "i4": INT32, "i8": INT64, "f4": FLOAT, "b1": BOOLEAN}


@dataclass
class ParquetFile:
    """A file that grows by row groups. Columns of it: images, uint8 (n, …), or plain, (n,) of uint8, uint16,
    int32, int64, float32 or bool; in the order of the schema, the same in every group, none with nulls."""

    schema: pa.Schema
    level: int
    created_by: str
    statistics: Sequence[str] = ()
    parts: list[Any] = field(default_factory=lambda: [MAGIC])
    _size: int = len(MAGIC)
    _rows: int = 0
    _groups: list[tuple[Field, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._codec = pa.Codec("zstd", compression_level=self.level)

    def add(self, columns: Sequence[npt.NDArray[Any]]) -> None:
        """One row group."""
        rows, begin, uncompressed = len(columns[0]), self._size, 0
        chunks = []
        for name, values in zip(self.schema.names, columns, strict=True):
            chunk, raw = self._images(name, values) if values.ndim > 1 else self._plain(name, values)
            chunks.append(chunk)
            uncompressed += raw
        self._groups.append(
            (
                Field(1, LIST, chunks, STRUCT),
                Field(2, I64, uncompressed),
                Field(3, I64, rows),
                Field(5, I64, begin),
                Field(6, I64, self._size - begin),
                Field(7, I16, len(self._groups)),
            )
        )
        self._rows += rows

    def finish(self) -> list[Any]:
        """The parts of the file, one after another."""
        arrow = base64.b64encode(self.schema.serialize())
        pairs = [*(self.schema.metadata or {}).items(), (b"ARROW:schema", arrow)]
        footer = struct(
            (
                Field(1, I32, 2),
                Field(2, LIST, self._elements(), STRUCT),
                Field(3, I64, self._rows),
                Field(4, LIST, self._groups, STRUCT),
                Field(5, LIST, [(Field(1, BINARY, key), Field(2, BINARY, value)) for key, value in pairs], STRUCT),
                Field(6, BINARY, self.created_by.encode()),
                # Bounds in the statistics follow the order of the types.
                Field(7, LIST, [(Field(1, STRUCT, ()),) for _ in self.schema.names], STRUCT),
            )
        )
        return [*self.parts, footer, binary.pack("<I", len(footer)), MAGIC]

    def _elements(self) -> list[tuple[Field, ...]]:
        """The schema as Parquet says it: a tree, flattened."""
        found: list[tuple[Field, ...]] = [(Field(4, BINARY, b"schema"), Field(5, I32, len(self.schema)))]
        for column in self.schema:
            name = Field(4, BINARY, column.name.encode())
            if isinstance(column.type, pa.FixedShapeTensorType):
                kind = Field(6, I32, LIST_TYPE), Field(10, STRUCT, (Field(3, STRUCT, ()),))
                found.append((Field(3, I32, REQUIRED), name, Field(5, I32, 1), *kind))
                found.append((Field(3, I32, REPEATED), Field(4, BINARY, b"list"), Field(5, I32, 1)))
                element = Field(3, I32, OPTIONAL), Field(4, BINARY, b"element")
                found.append((Field(1, I32, INT32), *element, *_unsigned(8)))
                continue
            numpy_type = column.type.to_pandas_dtype()
            number = np.dtype(numpy_type)
            small = _unsigned(8 * number.itemsize) if number.kind == "u" else ()
            found.append((Field(1, I32, _physical(number)), Field(3, I32, REQUIRED), name, *small))
        return found

    def _plain(self, name: str, values: npt.NDArray[Any]) -> tuple[tuple[Field, ...], int]:
        """A column of numbers: one page of them as they are."""
        begin, physical = self._size, _physical(values.dtype)
        if physical == BOOLEAN:
            data = np.packbits(values, bitorder="little").tobytes()
        else:
            data = values.astype(np.int32).tobytes() if values.dtype.kind == "u" else values.tobytes()
        raw = self._page(data, len(values), PLAIN)
        bounds: tuple[Field, ...] = ()
        if name in self.statistics:
            low, high = (binary.pack("<i" if physical == INT32 else "<q", int(f(values))) for f in (np.min, np.max))
            inner = Field(3, I64, 0), Field(5, BINARY, high), Field(6, BINARY, low)
            bounds = (Field(12, STRUCT, inner),)
        path = [name.encode()]
        return self._chunk(physical, [PLAIN, RLE], path, len(values), raw, begin, bounds), raw

    def _images(self, name: str, images: npt.NDArray[Any]) -> tuple[tuple[Field, ...], int]:
        """A column of images: pages of levels, pixels and zeros."""
        begin, raw = self._size, 0
        size = images[0].size
        page = np.empty(0, np.uint8)
        for first in range(0, len(images), PAGE):
            pixels = np.ascontiguousarray(images[first : first + PAGE]).reshape(-1)
            levels = _levels(len(pixels) // size, size)
            if len(page) != len(levels) + 4 * len(pixels):
                page = np.zeros(len(levels) + 4 * len(pixels), np.uint8)
                page[: len(levels)] = np.frombuffer(levels, np.uint8)
            page[len(levels) : len(levels) + len(pixels)] = pixels
            raw += self._page(page, len(pixels), BYTE_STREAM_SPLIT)
        path = [name.encode(), b"list", b"element"]
        return self._chunk(INT32, [BYTE_STREAM_SPLIT, RLE], path, images.size, raw, begin, ()), raw

    def _page(self, data: Any, values: int, encoding: int) -> int:
        """Write a data page; its size before compression, header included."""
        raw = memoryview(data).nbytes
        packed = self._codec.compress(pa.py_buffer(data))
        about = (Field(1, I32, values), Field(2, I32, encoding), Field(3, I32, RLE), Field(4, I32, RLE))
        header = struct((Field(1, I32, 0), Field(2, I32, raw), Field(3, I32, packed.size), Field(5, STRUCT, about)))
        self.parts += [header, packed]
        self._size += len(header) + packed.size
        return len(header) + raw

    def _chunk(
        self,
        physical: int,
        encodings: list[int],
        path: list[bytes],
        values: int,
        raw: int,
        begin: int,
        bounds: tuple[Field, ...],
    ) -> tuple[Field, ...]:
        about = (
            Field(1, I32, physical),
            Field(2, LIST, encodings, I32),
            Field(3, LIST, path, BINARY),
            Field(4, I32, ZSTD),
            Field(5, I64, values),
            Field(6, I64, raw),
            Field(7, I64, self._size - begin),
            Field(9, I64, begin),
            *bounds,
        )
        return Field(2, I64, 0), Field(3, STRUCT, about)


def _physical(kind: "np.dtype[Any]") -> int:
    return _TYPES[kind.str[1:]]


def _unsigned(bits: int) -> tuple[Field, Field]:
    """A whole number of 8 or 16 bits without a sign, in the old words and the new."""
    inner = (Field(1, BYTE, bits), boolean(2, False))
    return Field(6, I32, UNSIGNED[bits]), Field(10, STRUCT, (Field(10, STRUCT, inner),))


def _levels(rows: int, size: int) -> bytes:
    """Repetition and definition levels of lists of one size without nulls: runs (a length, doubled, and the value).

    A list begins with repetition level 0, its other elements have 1; every element has definition level 2."""
    row = varint(1 << 1) + b"\0" + (varint(size - 1 << 1) + b"\1" if size > 1 else b"")
    repetition, definition = row * rows, varint(rows * size << 1) + b"\2"
    return b"".join(binary.pack("<I", len(levels)) + levels for levels in (repetition, definition))
