"""Parquet files made by hand, against pyarrow's own writer and reader."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.formats.parquet_file import PAGE, ParquetFile
from millrace.formats.tables import image_array, image_type
from millrace.formats.thrift import BINARY, I32, LIST, STRUCT, Field, boolean, struct, varint

NAMES = ("image", "small", "middle", "whole", "long", "real", "flag")


def columns(shape: tuple[int, int, int], rows: int) -> tuple[pa.Table, list[np.ndarray]]:
    where = np.arange(rows)
    images = (np.arange(rows * np.prod(shape)) * 37 % 251).astype(np.uint8).reshape(rows, *shape)
    arrays = [
        images,
        (where % 256).astype(np.uint8),
        (65_535 - where).astype(np.uint16),
        (where * -7 + 3).astype(np.int32),
        where * 10**12 - 5,
        (where / 7).astype(np.float32),
        where % 3 == 1,
    ]
    kinds = [image_type(shape), pa.uint8(), pa.uint16(), pa.int32(), pa.int64(), pa.float32(), pa.bool_()]
    schema = pa.schema(
        [pa.field(name, kind, nullable=False) for name, kind in zip(NAMES, kinds, strict=True)],
        metadata={b"about": "Größe".encode()},
    )
    return pa.table([image_array(images), *map(pa.array, arrays[1:])], schema=schema), arrays


def by_hand(table: pa.Table, arrays: list[np.ndarray], group: int) -> bytes:
    file = ParquetFile(table.schema, 1, "millrace version 0.1.0", ("small", "middle", "whole", "long"))
    for first in range(0, table.num_rows, group):
        file.add([values[first : first + group] for values in arrays])
    return b"".join(memoryview(part) for part in file.finish())


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9)), st.integers(1, 70), st.integers(1, 80))
def test_pyarrow_reads_the_same_table(shape: tuple[int, int, int], rows: int, group: int) -> None:
    table, arrays = columns(shape, rows)
    found = pq.read_table(pa.BufferReader(by_hand(table, arrays, group)))
    assert found.equals(table, check_metadata=True)


def test_many_pages_and_groups() -> None:
    table, arrays = columns((1, 3, 5), 2 * PAGE + 77)
    for group in (5000, PAGE + 1):
        assert pq.read_table(pa.BufferReader(by_hand(table, arrays, group))).equals(table, check_metadata=True)


def test_the_schema_and_the_statistics_are_those_that_pyarrow_writes() -> None:
    table, arrays = columns((3, 4, 5), 100)
    sink = io.BytesIO()
    encoding = {"image.list.element": "BYTE_STREAM_SPLIT"}
    pq.write_table(table, sink, use_dictionary=False, compression="zstd", column_encoding=encoding)
    ours, theirs = (pq.ParquetFile(pa.BufferReader(data)) for data in (by_hand(table, arrays, 100), sink.getvalue()))
    assert ours.schema.equals(theirs.schema)
    assert str(ours.schema).splitlines()[1:] == str(theirs.schema).splitlines()[1:]
    assert ours.metadata.metadata == theirs.metadata.metadata
    for index in range(1, 5):
        one, other = (file.metadata.row_group(0).column(index).statistics for file in (ours, theirs))
        assert (one.min, one.max, one.null_count) == (other.min, other.max, other.null_count)
    for index in range(len(NAMES)):
        one, other = (file.metadata.row_group(0).column(index) for file in (ours, theirs))
        assert one.num_values == other.num_values
        assert (one.physical_type, one.compression) == (other.physical_type, other.compression)
        assert one.path_in_schema == other.path_in_schema


def test_row_groups_are_passed_over_by_their_statistics() -> None:
    table, arrays = columns((1, 2, 2), 90)
    data = by_hand(table, arrays, 30)
    found = pq.read_table(pa.BufferReader(data), filters=[("long", ">=", 80 * 10**12)])
    assert found.num_rows == 9
    assert pq.ParquetFile(pa.BufferReader(data)).metadata.num_row_groups == 3


@pytest.mark.parametrize(("value", "data"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\1"), (300, b"\xac\2")])
def test_variable_whole_numbers(value: int, data: bytes) -> None:
    assert varint(value) == data


def test_structs_by_hand() -> None:
    assert struct(()) == b"\0"
    assert struct((Field(1, I32, 1), Field(3, I32, -1), boolean(4, True))) == b"\x15\2\x25\1\x11\0"
    assert struct((Field(4, BINARY, b"ab"), Field(5, STRUCT, (boolean(1, False),)))) == b"\x48\2ab\x1c\x12\0\0"
    assert struct((Field(2, LIST, [1, 2], I32),)) == b"\x29\x25\2\4\0"
    assert struct((Field(2, LIST, [1] * 15, I32),)) == b"\x29\xf5\x0f" + b"\2" * 15 + b"\0"
    with pytest.raises(TypeError):
        struct((Field(1, I32, 1.5),))
