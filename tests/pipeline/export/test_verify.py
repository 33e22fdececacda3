"""Verification finds what is damaged and names it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from millrace.datasets.exported import Manifest
from millrace.formats import FORMATS
from millrace.pipeline.export import verify_shard
from millrace.pipeline.export.verify import unknown_files, verify_joined
from millrace.storage.folder import Folder


def verdicts(folder: Path, manifest: Manifest) -> list[Any]:
    return [verify_shard(Folder(str(folder)), manifest, record) for record in manifest.shards]


@pytest.mark.parametrize("name", FORMATS)
def test_a_sound_export_has_no_damage(name: str, export: Any) -> None:
    folder, manifest = export(name, originals=True)
    assert verdicts(folder, manifest) == [None] * len(manifest.shards)
    assert unknown_files(Folder(str(folder)), manifest) == []


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("harm", ["cut", "one bit", "gone"])
def test_a_damaged_shard_is_named(name: str, harm: str, export: Any) -> None:
    folder, manifest = export(name)
    pictures = sorted((folder / "train").rglob("*.png"))
    victim = pictures[5] if name == "imagefolder" else folder / manifest.shards[3].file
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    if harm == "gone":
        victim.unlink()
    else:
        victim.write_bytes(data[:-1] if harm == "cut" else data)
    damaged = [damage for damage in verdicts(folder, manifest) if damage is not None]
    assert len(damaged) == 1
    assert str(victim.relative_to(folder)) in damaged[0].what
    if name != "imagefolder":
        assert damaged[0].shard == manifest.shards[3].file


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("pixels", "0" * 64, "its pixels are not what they should be"),
        ("originals", "0" * 64, "its originals are not"),
        ("first", 50, "rows of another epoch"),
        ("rows", 15, "another number of rows"),
        ("bytes", 10, "damaged"),
        ("sha256", "0" * 64, "damaged"),
    ],
)
def test_every_field_of_a_record_is_held_against_the_shard(field: str, value: Any, said: str, export: Any) -> None:
    folder, manifest = export("parquet")
    record = dataclasses.replace(manifest.shards[0], **{field: value})
    damage = verify_shard(Folder(str(folder)), manifest, record)
    assert damage is not None
    assert said in damage.what


def test_impossible_ids_are_damage(export: Any) -> None:
    folder, manifest = export("arrow")
    small = dataclasses.replace(manifest, dataset={**manifest.dataset, "train_rows": 20})
    damage = verify_shard(Folder(str(folder)), small, manifest.shards[0])
    assert damage is not None
    assert "impossible sample ids" in damage.what


def test_files_of_no_export_are_listed(export: Any) -> None:
    folder, manifest = export("parquet")
    (folder / "data" / "train-00000-of-00009.parquet").write_bytes(b"old")
    assert unknown_files(Folder(str(folder)), manifest) == ["data/train-00000-of-00009.parquet"]


def test_a_table_of_contents_is_verified_whole(export: Any) -> None:
    folder, manifest = export("imagefolder")
    place, table = Folder(str(folder)), folder / "train" / "metadata.csv"
    assert verify_joined(place, manifest) == []
    good = table.read_bytes()
    for changed, said in ((b"x" + good[1:], "another first line"), (good + b"1,2\n", "wrong size")):
        table.write_bytes(changed)
        assert [(one.shard, said in one.what) for one in verify_joined(place, manifest)] == [
            ("train/metadata.csv", True)
        ]
    assert verify_joined(Folder(str(folder)), export("npz")[1]) == []


def test_a_changed_manifest_does_not_pass(export: Any) -> None:
    folder, manifest = export("parquet")
    document = json.loads((folder / "manifest.json").read_bytes())
    assert document["digest"] == manifest.digest
    for name in ("key", "digest"):
        with pytest.raises(Exception, match="damaged"):
            Manifest.from_json(json.dumps({**document, name: "0" * 64}).encode(), "it")
