import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from millrace.datasets import table, table_files
from millrace.datasets.arrays import Arrays, content_digest
from millrace.datasets.spec import DatasetSpec, FileSpec
from millrace.errors import IntegrityError
from tests.datasets.server import Sample

SPEC = DatasetSpec("shapes", "", "npz", ("a", "b", "c"), (FileSpec("x.npz"),))
SAMPLE = Sample(shape=(3, 5, 4))
ARRAYS = Arrays(**SAMPLE.arrays)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table_files.write_tables(tmp_path, ARRAYS, SPEC)
    return tmp_path


def opened(folder: Path) -> table.Dataset:
    found = table_files.open_tables(folder, SPEC)
    assert found is not None
    return found


def test_what_is_written_is_what_is_read(folder: Path) -> None:
    dataset = opened(folder)
    assert dataset.digest == content_digest(ARRAYS, SPEC.classes)
    assert dataset.shape == (3, 5, 4)
    assert dataset.classes == ("a", "b", "c")
    for split, rows in (("train", dataset.train), ("test", dataset.test)):
        np.testing.assert_array_equal(table.images(rows), SAMPLE.arrays[f"{split}_images"])
        np.testing.assert_array_equal(table.labels(rows), SAMPLE.arrays[f"{split}_labels"])
        assert rows.column("image").num_chunks == rows.column("label").num_chunks == 1
    assert sorted(path.name for path in folder.iterdir()) == ["table.json", "test.arrow", "train.arrow"]


def test_plain_arrow_reads_the_files(folder: Path) -> None:
    with pa.OSFile(str(folder / "test.arrow")) as source:
        rows = pa.ipc.open_file(source).read_all()
    kind = rows.schema.field("image").type
    assert kind.extension_name == "arrow.fixed_shape_tensor"
    assert (kind.value_type, kind.shape) == (pa.uint8(), [3, 5, 4])
    assert rows.schema.field("label").type == pa.uint8()
    assert rows.schema.metadata[b"millrace.dataset"] == b"shapes"
    assert rows.schema.metadata[b"millrace.digest"].decode() == opened(folder).digest
    rows.validate(full=True)


def test_tables_in_memory_are_the_same_tables(folder: Path) -> None:
    dataset = table.in_memory(ARRAYS, SPEC)
    assert dataset.train.equals(opened(folder).train, check_metadata=True)
    assert dataset.digest == opened(folder).digest
    assert np.shares_memory(table.images(dataset.train), ARRAYS.train_images)


@pytest.mark.parametrize("name", ["train.arrow", "test.arrow"])
@pytest.mark.parametrize("damage", ["gone", "cut", "longer", "changed", "emptied", "a folder"])
def test_damage_is_noticed(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "cut":
        path.write_bytes(data[:-10])
    elif damage == "longer":
        path.write_bytes(data + b"x")
    elif damage == "changed":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "emptied":
        path.touch()
    elif damage == "a folder":
        path.mkdir()
    assert table_files.open_tables(folder, SPEC) is None


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{", b"[]", b"{}", b"null", b'{"version": 1}', b'{"version": 0}', b"\xff", b'{"version": 1, "files": 3}'],
)
def test_a_damaged_manifest_is_noticed(folder: Path, manifest: bytes) -> None:
    (folder / "table.json").write_bytes(manifest)
    assert table_files.open_tables(folder, SPEC) is None


def test_a_manifest_of_something_else_is_noticed(folder: Path) -> None:
    path = folder / "table.json"
    good = json.loads(path.read_bytes())
    for change in ({"digest": "0" * 64}, {"version": 99}):
        path.write_text(json.dumps(good | change))
        assert table_files.open_tables(folder, SPEC) is None
    good["files"]["train"]["rows"] += 1
    path.write_text(json.dumps(good))
    assert table_files.open_tables(folder, SPEC) is None


def test_a_copied_cache_is_compared_by_digest_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(folder / "train.arrow", ns=(1, 1))
    counted = list[str]()
    real = table_files.sha256_of

    def counting(path: Path) -> str:
        counted.append(path.name)
        return real(path)

    monkeypatch.setattr(table_files, "sha256_of", counting)
    opened(folder)
    opened(folder)
    assert counted == ["train.arrow"]


def test_damage_without_a_trace_is_found_by_verify(folder: Path) -> None:
    assert table_files.verify_tables(folder, SPEC).digest == opened(folder).digest
    path = folder / "test.arrow"
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(IntegrityError, match=r"test\.arrow is damaged"):
        table_files.verify_tables(folder, SPEC)
    (folder / "table.json").unlink()
    with pytest.raises(IntegrityError, match="missing or damaged"):
        table_files.verify_tables(folder, SPEC)


def test_a_mapped_table_outlives_its_rewriting(folder: Path) -> None:
    before = table.images(opened(folder).train)
    table_files.write_tables(folder, Arrays(**Sample(shape=(3, 5, 4), seed=3).arrays), SPEC)
    np.testing.assert_array_equal(before, SAMPLE.arrays["train_images"])
