"""A small dataset in memory, and exports of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.datasets import Dataset
from millrace.datasets.exported import Manifest
from tests.pipeline.export.small import planned, shapes, written


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return shapes()


@pytest.fixture
def export(tmp_path: Path, dataset: Dataset) -> Callable[..., tuple[Path, Manifest]]:
    """export(format, …options) → the folder of a finished export and its manifest."""

    def make(format: str = "parquet", **options: Any) -> tuple[Path, Manifest]:
        path = tmp_path / f"{format} export"
        manifest = written(planned(dataset, format=format, **options), dataset, path)
        assert manifest is not None
        return path, manifest

    return make
