"""What other tools read of an export: the right rows, labels and pixels, in the right order."""

import hashlib
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from millrace.datasets import Dataset, DatasetSpec
from millrace.datasets.spec import FileSpec
from millrace.pipeline.export import ExportPlan, Source
from millrace.reports.dataset_card import card
from tests.pipeline.export.environment import PYTHON, SCRIPTS, clean_environment, needed
from tests.pipeline.export.small import planned, shapes, written

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), needed]

TOOLS = {
    "parquet": ("pyarrow_parquet", "pyarrow_dataset", "duckdb", "polars", "pandas", "ray_data"),
    "arrow": ("pyarrow_ipc", "polars_ipc"),
    "huggingface": ("huggingface", "pandas_pictures"),
    "webdataset": ("webdataset", "huggingface_webdataset"),
    "npz": ("numpy",),
    "imagefolder": ("huggingface_imagefolder", "huggingface_folder"),
}


def sizable(channels: int) -> Dataset:
    """The small dataset with class names that a hub's YAML takes as they are."""
    small = shapes(channels)
    spec = DatasetSpec("shapes", "Shapes", "npz", ("circle", "square", 'a "b", c: #d'), (FileSpec("shapes.npz"),))
    return Dataset(spec, small.train, small.test, small.digest)


def rows_read_by(tool: str, folder: Path, splits: Iterable[str], shape: tuple[int, ...], home: Path) -> dict[str, Any]:
    """The rows of each split that a tool reads, in one process: [epoch, sample, label, sha256 of the pixels]."""
    command = [str(PYTHON), str(SCRIPTS / "read.py"), tool, str(folder), ",".join(splits), *map(str, shape)]
    done = subprocess.run(
        command, cwd=home, env=clean_environment(home), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = {}
    for split, *row in map(json.loads, done.stdout.splitlines()):
        found.setdefault(split, []).append(row)
    return found


def expected(plan: ExportPlan, dataset: Dataset, split: str) -> list[Any]:
    rows = Source(plan, dataset).range(split, 0, plan.splits[split].rows)
    columns = rows.epochs.tolist(), rows.samples.tolist(), rows.labels.tolist()
    pixels = (hashlib.sha256(image.tobytes()).hexdigest() for image in rows.images)
    return [list(row) for row in zip(*columns, pixels, strict=True)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "tool"), [(name, tool) for name, tools in TOOLS.items() for tool in tools])
def test_tools_read_back_rows_labels_and_pixels(name: str, tool: str, channels: int, tmp_path: Path) -> None:
    dataset = sizable(channels)
    plan = planned(dataset, format=name, originals=True)
    folder = tmp_path / "an export"
    assert written(plan, dataset, folder, beside=[("README.md", card(plan, "in words").encode())]) is not None
    splits = ("train",) if tool == "ray_data" else tuple(plan.splits)
    read = rows_read_by(tool, folder, splits, plan.shape, tmp_path)
    assert read == {split: expected(plan, dataset, split) for split in splits}
