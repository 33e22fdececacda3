"""One contract for a folder on a disk and a folder of a pyarrow filesystem. (An S3 server: test_run_address.)"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.errors import CheckpointError
from millrace.runs.store import DiskStore, RemoteStore, RunStore
from millrace.storage.folder import Folder

MAKERS: dict[str, Callable[[Path], RunStore]] = {
    "disk": DiskStore,
    "pyarrow": lambda path: RemoteStore(Folder(str(path))),
}


@pytest.fixture(params=MAKERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    (tmp_path / "run").mkdir()
    return MAKERS[request.param](tmp_path / "run")


def test_what_is_put_is_there_and_what_is_removed_is_not(store: RunStore, tmp_path: Path) -> None:
    assert store.location == str(tmp_path / "run")
    assert store.stats() == {}
    assert store.stats("owners") == {}
    store.put("a.json", b"one")
    store.put("owners/b.json", b"")
    store.put("a.json", b"three")
    assert {name: stat.size for name, stat in store.stats().items()} == {"a.json": 5, "owners/b.json": 0}
    assert list(store.stats("owners")) == ["owners/b.json"]
    assert store.read("a.json") == b"three"
    store.remove("a.json")
    store.remove("a.json")
    assert list(store.stats()) == ["owners/b.json"]
    with pytest.raises(FileNotFoundError):
        store.read("a.json")


def test_times_are_those_of_the_store(store: RunStore, tmp_path: Path) -> None:
    store.put("a", b"x")
    assert abs(store.stats()["a"].modified - time.time()) < 60
    os.utime(tmp_path / "run" / "a", (1e9, 1e9 + 0.5))
    assert store.stats()["a"].modified == 1e9 + 0.5


def test_a_disk_that_refuses_is_an_error_that_names_it(store: RunStore, tmp_path: Path) -> None:
    store.put("folder/file", b"x")
    with pytest.raises(CheckpointError, match=r"run cannot be (written|made)"):
        store.put("folder/file/below", b"x")
    with pytest.raises(CheckpointError, match="run cannot be read"):
        store.read("folder")
