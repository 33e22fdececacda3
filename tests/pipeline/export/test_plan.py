"""Plans: which rows stand where, known before a byte is written."""

from dataclasses import fields
from typing import Any

import pytest

from millrace.datasets import Dataset
from millrace.errors import FormatError, UsageError
from millrace.pipeline.export import ExportOptions
from millrace.pipeline.export.plan import SHARD_BYTES, plan_of, shard_rows
from millrace.pipeline.policy import PRESETS
from tests.pipeline.export.small import planned, shapes, written


def test_shards_cover_every_row_once_under_names_known_beforehand(dataset: Dataset) -> None:
    plan = planned(dataset)
    assert {name: (size.rows, size.per_epoch, size.epochs) for name, size in plan.splits.items()} == {
        "train": (102, 34, 3),
        "validation": (6, 6, 1),
        "test": (10, 10, 1),
    }
    train = [shard for shard in plan.shards if shard.split == "train"]
    assert [(shard.first, shard.rows) for shard in train] == [
        (0, 16),
        (16, 16),
        (32, 16),
        (48, 16),
        (64, 16),
        (80, 16),
        (96, 6),
    ]
    assert [shard.index for shard in plan.shards] == list(range(9))
    assert train[0].name == "data/train-00000-of-00007.parquet"
    assert plan.shards[-1].name == "data/test-00000-of-00001.parquet"
    assert planned(dataset, format="webdataset").shards[0].name.endswith(".tar")


def test_the_key_names_everything_that_decides_the_bytes(dataset: Dataset) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"format": "arrow"},
        {"policy": PRESETS["none"]},
        {"epochs": 4},
        {"seed": 8},
        {"subset": 30},
        {"validation": 5},
        {"sampling": "balanced"},
        {"originals": True},
        {"augment_test": True},
        {"shard_rows": 17},
    ]
    assert {field.name for field in fields(ExportOptions)} == {name for change in changes for name in change}
    keys = {planned(dataset, **change).key for change in changes} | {planned(shapes(3)).key}
    assert len(keys) == len(changes) + 1
    assert planned(dataset).key == planned(shapes()).key


def test_a_manifest_gives_its_plan_back(export: Any, dataset: Dataset) -> None:
    _, manifest = export(originals=True)
    plan = plan_of(manifest)
    assert plan == planned(dataset, originals=True)
    assert plan.key == manifest.key
    broken = {**manifest.configuration}
    del broken["policy"]
    with pytest.raises(FormatError):
        plan_of(type(manifest)(**{**vars(manifest), "configuration": broken}))


def test_the_rows_of_a_shard_follow_from_the_size_of_an_image() -> None:
    assert shard_rows((1, 28, 28), None) == 16384
    assert shard_rows((3, 32, 32), None) == 4096
    assert shard_rows((3, 32, 32), None) * 3072 <= SHARD_BYTES
    assert shard_rows((1, 1, 1), None) == 16384
    assert shard_rows((3, 4096, 4096), None) == 64
    assert shard_rows((1, 28, 28), 5) == 5
    with pytest.raises(UsageError, match="shard would be too large"):
        shard_rows((1, 28, 28), 1_000_000)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "parqet"}, "did you mean 'parquet'"),
        ({"epochs": 0}, "epochs is out of range"),
        ({"shard_rows": 0}, "shard_rows is out of range"),
        ({"validation": 40}, "validation split does not fit"),
        ({"subset": 41}, "subset does not fit"),
        ({"seed": -1}, "seed is out of range"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    dataset: Dataset, options: dict[str, Any], said: str, tmp_path: Any
) -> None:
    with pytest.raises(UsageError, match=said):
        written(planned(dataset, **options), dataset, tmp_path / "a")
    assert not (tmp_path / "a").exists()
