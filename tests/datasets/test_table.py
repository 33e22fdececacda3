from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from millrace.datasets import table
from millrace.datasets.arrays import Arrays
from millrace.datasets.spec import DatasetSpec, FileSpec
from millrace.datasets.table_files import open_tables, write_tables
from millrace.errors import FormatError, IntegrityError
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


def many(classes: int, last: int, kind: type) -> Arrays:
    images = np.arange(4 * 6, dtype=np.uint8).reshape(4, 1, 2, 3)
    labels: npt.NDArray[Any] = np.array([0, 1, last, last], kind)
    return Arrays(images, labels, images[:2], labels[:2])


@pytest.mark.parametrize(("classes", "kind"), [(256, np.uint8), (257, np.uint16), (65_536, np.uint16)])
def test_labels_are_as_wide_as_the_classes_want_and_read_back_from_disk(
    classes: int, kind: type, tmp_path: Path
) -> None:
    spec = DatasetSpec("many", "", "npz", tuple(map(str, range(classes))), (FileSpec("x.npz"),))
    arrays = many(classes, classes - 1, np.int64)
    dataset = table.in_memory(arrays, spec)
    assert table.labels(dataset.train).dtype == kind
    assert table.labels(dataset.train).tolist() == [0, 1, classes - 1, classes - 1]
    write_tables(tmp_path, arrays, spec)
    opened = open_tables(tmp_path, spec)
    assert opened is not None
    assert opened.digest == dataset.digest
    assert opened.train.equals(dataset.train)
    assert table.labels(opened.test.slice(0, 0)).dtype == kind
    fewer = replace(spec, classes=spec.classes[: classes // 2])
    with pytest.raises(FormatError, match="split train: a label has no class"):
        table.in_memory(arrays, fewer)


def test_the_digest_of_narrow_labels_is_that_of_their_bytes() -> None:
    # Wider labels of few classes, as an npz may hold them, are the same dataset.
    spec = DatasetSpec("few", "", "npz", ("a", "b", "c"), (FileSpec("x.npz"),))
    assert table.in_memory(many(3, 2, np.int64), spec).digest == table.in_memory(many(3, 2, np.uint8), spec).digest
