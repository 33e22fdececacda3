"""A small dataset in memory, and exports of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from millrace.datasets import Dataset, DatasetSpec
from millrace.datasets.arrays import Arrays
from millrace.datasets.exported import Manifest
from millrace.datasets.spec import FileSpec
from millrace.datasets.table import in_memory
from millrace.pipeline.export import ExportOptions, ExportPlan, ExportSession, ShardWriter, make_plan
from millrace.pipeline.policy import Policy
from millrace.storage.folder import Folder
from millrace.workers.export_local import LocalExecutor

POLICY = Policy("custom", translate=0.2, rotate=20.0, scale=(0.8, 1.2), shear=0.2, flip=0.5)
SPEC = DatasetSpec(
    "shapes", "Shapes", "npz", ("circle", "sq/uare", 'a "b", c'), (FileSpec("shapes.npz"),), licence="MIT"
)


def shapes(channels: int = 1, train: int = 40, test: int = 10) -> Dataset:
    """Images of pseudo-random pixels, 6 × 5, in three classes."""
    count = (train + test) * channels * 30
    pixels = (np.arange(count, dtype=np.uint64) * 2654435761 % 65521 % 256).astype(np.uint8)
    images = pixels.reshape(train + test, channels, 6, 5)
    labels = (np.arange(train + test) % 3).astype(np.uint8)
    return in_memory(Arrays(images[:train], labels[:train], images[train:], labels[train:]), SPEC)


def planned(dataset: Dataset, **options: Any) -> ExportPlan:
    """The plan of an export: shards of 16 rows, three epochs, a validation split, unless given otherwise."""
    chosen = {
        "format": "parquet",
        "policy": POLICY,
        "epochs": 3,
        "seed": 7,
        "validation": 6,
        "shard_rows": 16,
        **options,
    }
    channels = dataset.shape[0]
    statistics = (0.5,) * channels, (0.25,) * channels
    return make_plan(ExportOptions(**chosen), dataset, source="shapes", statistics=statistics, millrace="0.0.0")


def written(
    plan: ExportPlan,
    dataset: Dataset,
    path: Path | str,
    threads: int = 1,
    most: int | None = None,
    beside: Sequence[tuple[str, bytes]] = (("README.md", b"read me"),),
) -> Manifest | None:
    """Export into a folder or an address; with `most`, stop after so many shards."""
    folder = Folder(str(path))
    with ExportSession.open(plan, folder) as session:
        executor = LocalExecutor(ShardWriter(plan, dataset, folder, session.known), threads)
        done: dict[int, Any] = {}
        for one in executor.run(range(len(plan.shards)), lambda: most is not None and len(done) >= most):
            done[one.index] = one
        if len(done) < len(plan.shards):
            return None
        return session.finish([done[index].record for index in range(len(done))], beside)


def contents(path: Path) -> dict[str, bytes]:
    """All files of a folder by name."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
