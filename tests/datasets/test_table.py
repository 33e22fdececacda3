import numpy as np
import pyarrow as pa
import pytest

from millrace.datasets import table
from millrace.datasets.arrays import Arrays
from millrace.datasets.spec import DatasetSpec, FileSpec
from millrace.errors import IntegrityError
from tests.datasets.server import Sample

SPEC = DatasetSpec("shapes", "", "npz", ("a", "b", "c"), (FileSpec("x.npz"),))
ARRAYS = Arrays(**Sample(shape=(3, 5, 4)).arrays)


def test_views_are_read_only_and_no_copies() -> None:
    dataset = table.in_memory(ARRAYS, SPEC)
    pixels, labels = table.images(dataset.train), table.labels(dataset.train)
    assert pixels.dtype == labels.dtype == np.uint8
    assert not pixels.flags.writeable
    assert not labels.flags.writeable
    assert np.shares_memory(pixels, table.images(dataset.train))
    part = table.images(dataset.train.slice(5, 3))
    assert np.shares_memory(part, pixels)
    np.testing.assert_array_equal(part, pixels[5:8])
    np.testing.assert_array_equal(table.labels(dataset.train.slice(5, 3)), labels[5:8])
    assert table.images(dataset.train.slice(0, 0)).shape == (0, 3, 5, 4)


def test_a_table_in_pieces_is_refused() -> None:
    rows = table.in_memory(ARRAYS, SPEC).train
    pieces = pa.concat_tables([rows, rows])
    with pytest.raises(IntegrityError, match="in pieces"):
        table.images(pieces)
    empty = pa.table({name: pa.chunked_array([], rows.schema.field(name).type) for name in ("image", "label")})
    assert table.images(empty).shape == (0, 3, 5, 4)
    assert table.labels(empty).shape == (0,)
