"""Exports in every format, as the standard library, NumPy and Arrow read them."""

import csv
import io
import json
import tarfile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from millrace.datasets.exported import Reader
from millrace.formats import FORMATS
from millrace.formats.imagefolder import class_folders
from millrace.formats.rows import PARAMETERS
from millrace.storage.folder import Folder


def test_pixel_digests_do_not_depend_on_the_format(export: Any) -> None:
    digests = {tuple((r.pixels, r.originals) for r in export(name, originals=True)[1].shards) for name in FORMATS}
    assert len(digests) == 1


def test_parquet_has_the_tensor_type_and_statistics_of_ids_alone(export: Any) -> None:
    folder, manifest = export("parquet")
    file = pq.ParquetFile(folder / manifest.shards[0].file)
    assert file.schema_arrow.field("image").type == pa.fixed_shape_tensor(pa.uint8(), [1, 6, 5])
    fields = json.loads(file.schema_arrow.metadata[b"millrace"])
    assert (fields["split"], fields["first"], fields["key"]) == ("train", 0, manifest.key)
    group = file.metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert columns["sample"].is_stats_set
    assert not columns["image.list.element"].is_stats_set
    assert columns["image.list.element"].compression == "ZSTD"
    assert "BYTE_STREAM_SPLIT" in columns["image.list.element"].encodings


def test_huggingface_metadata_says_what_datasets_looks_for(export: Any, dataset: Any) -> None:
    folder, manifest = export("huggingface", originals=True)
    schema = pq.read_schema(folder / manifest.shards[0].file)
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names
    assert features["label"] == {"names": list(dataset.classes), "_type": "ClassLabel"}
    assert features["image"] == features["original"] == {"_type": "Image"}


def test_webdataset_is_a_tar_file_for_tarfile(export: Any, dataset: Any) -> None:
    folder, manifest = export("webdataset")
    rows = Reader(Folder(str(folder)), manifest).rows("train", 16, 32)
    with tarfile.open(folder / manifest.shards[1].file) as archive:
        members = archive.getmembers()
        assert {(m.mtime, m.uid, m.gid, m.mode, m.isfile()) for m in members} == {(0, 0, 0, 0o644, True)}
        assert [m.name for m in members[:3]] == ["000000000016.png", "000000000016.cls", "000000000016.json"]
        content = {m.name: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]
    assert len(content) == 48
    picture = np.asarray(Image.open(io.BytesIO(content["000000000020.png"])))
    np.testing.assert_array_equal(picture, rows.images[4, 0])
    fields = json.loads(content["000000000020.json"])
    assert int(content["000000000020.cls"]) == fields["label"] == rows.labels[4]
    assert fields["class"] == dataset.classes[fields["label"]]
    assert np.float32(fields["angle"]) == rows.parameters[4, PARAMETERS.index("angle")]
    assert (folder / manifest.shards[1].file).stat().st_size % 10240 == 0


def test_npz_is_read_by_numpy_without_pickle(export: Any, dataset: Any) -> None:
    folder, manifest = export("npz")
    with np.load(folder / manifest.shards[0].file, allow_pickle=False) as shard:
        assert tuple(shard["classes"]) == dataset.classes
        assert shard["images"].shape == (16, 1, 6, 5)
        assert shard["flip"].dtype == np.bool_
        assert set(shard.files) == {"images", "labels", "samples", "epochs", "classes", *PARAMETERS}


def test_imagefolder_lists_its_pictures_in_stream_order(export: Any, dataset: Any) -> None:
    folder, manifest = export("imagefolder", originals=True)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "manifest.json", "originals", "test", "train", "validation",
    ]  # fmt: skip
    rows = Reader(Folder(str(folder)), manifest).rows("train", 0, 102)
    with open(folder / "train" / "metadata.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 102
    assert [int(line["sample"]) for line in lines] == rows.samples.tolist()
    assert {line["class"] for line in lines} == set(dataset.classes)
    for row, line in enumerate(lines):
        picture = np.asarray(Image.open(folder / "train" / line["file_name"]))
        np.testing.assert_array_equal(picture, rows.images[row, 0])
        original = np.asarray(Image.open(folder / line["original_file"]))
        np.testing.assert_array_equal(original, rows.originals[row, 0])  # type: ignore[index]
        assert line["file_name"].startswith(class_folders(dataset.classes)[int(line["label"])] + "/")


def test_the_pixels_of_an_arrow_file_begin_with_a_page(export: Any) -> None:
    folder, manifest = export("arrow")
    for record in manifest.shards:
        images = pa.ipc.open_file(folder / record.file).get_batch(0).column("image").storage.values
        pixels = images.buffers()[1].to_pybytes()
        assert (folder / record.file).read_bytes().index(pixels) % 4096 == 0
