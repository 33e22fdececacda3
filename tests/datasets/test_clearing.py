"""What lies in the cache is removed when it is asked for, and never under anybody's hands."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millrace import datasets
from millrace.datasets import Reading, cached_tables, clear
from millrace.storage import locked
from tests.datasets.importers.drawn import folders

READER = """
import sys
import pyarrow as pa
mapped = pa.memory_map(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    return folders(tmp_path / "mine", {"cat": 4, "dog": 4})


def made(path: Path, size: int) -> Path:
    spec = datasets.find(str(path), Reading(size=(size, size)))
    datasets.load(spec)
    return datasets.dataset_folder(spec)


def test_all_tables_of_a_path_are_found_whatever_reading_made_them(mine: Path, tmp_path: Path) -> None:
    tables = {made(mine, 8), made(mine, 16)}
    other = made(folders(tmp_path / "other", {"a": 2, "b": 2}), 8)
    (tmp_path / "cache" / "datasets" / "no table").mkdir()
    assert {one.folder for one in cached_tables(str(mine))} == tables
    assert {one.folder for one in cached_tables()} == {*tables, other}
    one = cached_tables("other")[0]
    assert (one.folder, one.downloaded) == (other, False)
    assert one.bytes == sum(path.stat().st_size for path in other.iterdir())


def test_a_cleared_table_is_gone_and_can_be_made_again(mine: Path) -> None:
    folder = made(mine, 8)
    digest = datasets.load(datasets.find(str(mine), Reading(size=(8, 8)))).digest
    assert [clear(one) for one in cached_tables("mine")] == [""]
    assert not folder.exists()
    assert datasets.load(datasets.find(str(mine), Reading(size=(8, 8)))).digest == digest


def test_what_is_being_made_stays(mine: Path) -> None:
    folder = made(mine, 8)
    with locked(folder / "lock", seconds=5):
        assert clear(cached_tables("mine")[0]) == f"process {os.getpid()} makes it"
    assert (folder / "table.json").exists()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system has no /proc")
def test_what_a_process_reads_stays(mine: Path) -> None:
    folder = made(mine, 8)
    command = [sys.executable, "-c", READER, str(folder / "train.arrow")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        assert clear(cached_tables("mine")[0]) == f"process {reader.pid} reads it"
        assert (folder / "table.json").exists()
        reader.communicate(timeout=60)
    assert clear(cached_tables("mine")[0]) == ""


def test_the_command_clears_what_is_ones_own_or_named(mine: Path, tmp_path: Path, capsys: Any) -> None:
    from millrace.commands.main import main

    folder, downloaded = made(mine, 8), tmp_path / "cache" / "datasets" / f"mnist-{'0' * 12}"
    (downloaded / "files").mkdir(parents=True)
    (downloaded / "files" / "a.gz").write_bytes(b"12345")
    assert main(["datasets", "--clear"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:-1]] == ["mine"]
    assert not folder.exists()
    assert main(["datasets", "cifar10", "--clear"]) == 0
    assert "nothing of that lies in the cache" in capsys.readouterr().out
    assert downloaded.exists()
    assert main(["datasets", "mnist", "--clear"]) == 0
    assert "5 B freed" in capsys.readouterr().out
    assert not downloaded.exists()
