"""A disk that is really full: a small one in memory, where tests may mount one."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.datasets import Dataset
from millrace.datasets.exported import MANIFEST
from millrace.errors import DataError
from millrace.formats import FORMATS
from tests.pipeline.export.small import contents, planned, written


def mount(path: Path, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(path)]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    if not mount(path, "size=200k"):
        pytest.skip("no disk can be mounted here")
    yield path
    subprocess.run(["umount", str(path)], timeout=20, check=True)


@pytest.mark.parametrize(
    "name", [name if name == "parquet" else pytest.param(name, marks=pytest.mark.slow) for name in FORMATS]
)
def test_it_goes_on_once_there_is_room(name: str, disk: Path, dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, format=name, epochs=20)
    written(plan, dataset, tmp_path / "unbroken")
    with pytest.raises(DataError, match="is full") as raised:
        written(plan, dataset, disk / "export", threads=2)
    assert "goes on where it stopped" in str(raised.value)
    assert not (disk / "export" / MANIFEST).exists()
    assert not list((disk / "export" / ".millrace" / "aside").iterdir())
    mount(disk, "remount,size=64m")
    written(plan, dataset, disk / "export", threads=2)
    assert contents(disk / "export") == contents(tmp_path / "unbroken")
