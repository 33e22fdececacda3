"""Record batches: their schema, their memory, their way through Arrow's files, and what they carry."""

import io

import numpy as np
import pyarrow as pa
import pytest

from millrace.formats.tables import image_array
from millrace.pipeline import Policy, images_of, labels_of, metadata_of, parameters_of, samples_of
from millrace.pipeline.batch import METADATA, arrow_bytes, assemble, schema
from millrace.pipeline.draw import Draws, compose, draw
from millrace.pipeline.visited import PARAMETER_NAMES, U8Array
from millrace.pipeline.warp import warp

WILD = Policy("wild", translate=0.3, rotate=180, scale=(0.3, 3.0), shear=0.7, flip=0.4)
IDS = np.array([7, 0, 3, 9, 1], np.int64)
LABELS = np.array([1, 2, 3, 4, 5], np.uint8)


def images(count: int = 10, shape: tuple[int, int, int] = (2, 6, 5)) -> U8Array:
    return np.random.default_rng(1).integers(0, 256, (count, *shape), np.uint8)


def drawn() -> Draws:
    return draw(WILD, IDS, height=6, width=5, seed=1, epoch=2)


def made() -> pa.RecordBatch:
    pixels = warp(images(), IDS, drawn().matrices)
    return assemble(pixels, LABELS, IDS, drawn().parameters, {"seed": 1, "policy": WILD.as_dict(), "name": "ÿ"})


def test_the_columns() -> None:
    batch = made()
    assert batch.schema.names == ["image", "label", "sample", *PARAMETER_NAMES]
    assert batch.schema.equals(schema((2, 6, 5)))
    image = batch.schema.field("image").type
    assert image.extension_name == "arrow.fixed_shape_tensor"
    assert image.value_type == pa.uint8()
    assert image.shape == [2, 6, 5]
    kinds = [batch.schema.field(name).type for name in ("label", "sample", *PARAMETER_NAMES)]
    assert kinds == [pa.uint8(), pa.int64(), *[pa.float32()] * 6, pa.bool_()]
    assert not any(field.nullable for field in batch.schema)
    assert all(column.null_count == 0 for column in batch.columns)
    batch.validate(full=True)


def test_the_values() -> None:
    batch = made()
    assert np.array_equal(images_of(batch), warp(images(), IDS, drawn().matrices))
    assert labels_of(batch).tolist() == LABELS.tolist()
    assert samples_of(batch).tolist() == IDS.tolist()
    assert np.array_equal(parameters_of(batch), drawn().parameters)
    assert batch.column("flip").to_pylist() == (drawn().parameters[:, -1] == 1).tolist()
    assert batch.column("dx").to_pylist() == drawn().parameters[:, 0].tolist()


def test_the_metadata_is_json() -> None:
    assert metadata_of(made()) == {"seed": 1, "policy": WILD.as_dict(), "name": "ÿ"}
    assert list(made().schema.metadata) == [METADATA]


def test_nothing_is_copied() -> None:
    pixels, labels, ids = images(5), LABELS.copy(), IDS.copy()
    batch = assemble(pixels, labels, ids, drawn().parameters, {})
    for view, own in ((images_of(batch), pixels), (labels_of(batch), labels), (samples_of(batch), ids)):
        assert view.ctypes.data == own.ctypes.data
        assert view.dtype == own.dtype
        assert view.shape == own.shape
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 0


def test_a_part_of_a_batch_is_that_part() -> None:
    part = made().slice(1, 3)
    assert np.array_equal(images_of(part), images_of(made())[1:4])
    assert np.array_equal(parameters_of(part), parameters_of(made())[1:4])
    assert samples_of(part).tolist() == IDS[1:4].tolist()


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_batch_goes_through_arrow_ipc(kind: str) -> None:
    batch, sink = made(), io.BytesIO()
    with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(sink, batch.schema) as writer:
        writer.write_batch(batch)
    reader = (pa.ipc.open_file if kind == "file" else pa.ipc.open_stream)(sink.getvalue())
    other = reader.get_batch(0) if kind == "file" else reader.read_next_batch()
    assert other.equals(batch, check_metadata=True)
    assert np.array_equal(images_of(other), images_of(batch))
    assert metadata_of(other) == metadata_of(batch)


def test_the_parameters_of_a_batch_draw_its_pixels_again() -> None:
    batch = made()
    matrices = compose(parameters_of(batch), height=6, width=5)
    assert np.array_equal(warp(images(), samples_of(batch), matrices), images_of(batch))


def test_an_empty_batch() -> None:
    nothing = np.empty((0, 2, 6, 5), np.uint8)
    batch = assemble(nothing, LABELS[:0], IDS[:0], np.empty((0, 7), np.float32), {})
    assert batch.num_rows == 0
    assert images_of(batch).shape == (0, 2, 6, 5)
    assert parameters_of(batch).shape == (0, 7)


def test_an_image_array_is_a_tensor_array() -> None:
    array = image_array(images(3))
    assert len(array) == 3
    assert np.array_equal(array.to_numpy_ndarray(), images(3))


@pytest.mark.parametrize("rows", [1, 5, 8, 9, 128])
def test_the_size_is_that_of_the_buffers(rows: int) -> None:
    zeros = np.zeros(rows, np.uint8)
    batch = assemble(images(rows), zeros, zeros.astype(np.int64), np.zeros((rows, 7), np.float32), {})
    assert arrow_bytes(rows, (2, 6, 5)) == batch.nbytes
    wide = assemble(images(rows), zeros.astype(np.uint16), zeros.astype(np.int64), np.zeros((rows, 7), np.float32), {})
    assert arrow_bytes(rows, (2, 6, 5), 2) == wide.nbytes


def test_labels_of_many_classes_are_as_wide_as_they_come() -> None:
    labels = np.array([65_535, 256], np.uint16)
    batch = assemble(images(2), labels, IDS[:2], np.zeros((2, 7), np.float32), {})
    assert batch.schema.equals(schema((2, 6, 5), pa.uint16()))
    assert labels_of(batch).tolist() == [65_535, 256]
    assert labels_of(batch).dtype == np.uint16
