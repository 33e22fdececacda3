"""Folders: files whole or not at all, names of every kind, addresses without credentials."""

import ctypes
import errno
import os
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from millrace.errors import CheckpointError, DataError, UsageError
from millrace.storage.folder import HIDDEN, Folder


def test_a_path_and_its_address_are_the_same_folder(tmp_path: Path) -> None:
    path = tmp_path / "with blanks & ünï"
    one, other = Folder(str(path)), Folder(path.as_uri())
    one.put("data/a", [b"12", bytearray(b"345")])
    assert other.read("data/a").to_pybytes() == b"12345"
    assert other.local == one.local == path
    assert one.names() == other.names() == ["data/a"]
    assert one.size("data/a") == 5
    assert one.size("data") is one.size("data/b") is None


def test_relative_paths_and_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Folder("a/../b").local == tmp_path / "b"
    assert Folder("~/x").local == tmp_path / "home" / "x"


def test_parts_of_files_are_read(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.put("a", [b"0123456789"])
    assert folder.read("a", offset=3, count=4).to_pybytes() == b"3456"
    assert folder.read("a", offset=8, count=4).to_pybytes() == b"89"
    folder.put("empty", [])
    assert folder.size("empty") == 0
    with pytest.raises(FileNotFoundError):
        folder.read("b")


def test_sizes_and_times_of_all_files(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    assert folder.stats("absent") == {}
    folder.put_many([("b/c", b"1"), ("b/empty", b""), ("a", b"22")])
    for name in ("a", "b/c", "b/empty"):
        os.utime(tmp_path / name, (1e9, 1e9 + len(name)))
    assert folder.stats() == {"a": (2, 1e9 + 1), "b/c": (1, 1e9 + 3), "b/empty": (0, 1e9 + 7)}
    assert sorted(folder.stats("b")) == ["b/c", "b/empty"]


@pytest.mark.parametrize(
    "address",
    ["s3://b/a?secret_key=squeamish", "abfs://b@c/a?sig=squeamish", "s3://b/a?endpoint_override=http://k:squeamish@h"],
)
def test_credentials_behind_the_question_mark_are_refused_and_not_shown(address: str) -> None:
    with pytest.raises(UsageError, match="must not hold credentials") as refused:
        Folder(address)
    assert "squeamish" not in str(refused.value)


def test_stats_pass_over_what_is_not_yet_whole(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.put_many([("a", b"1"), (".b.0123456789ab.tmp", b"1"), (".millrace/aside/c", b"1"), ("d/.e", b"1")])
    assert list(folder.stats()) == ["a"]


def test_what_is_not_yet_whole_lies_in_the_folder_for_it_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / HIDDEN).mkdir()
    seen: list[list[str]] = []

    def parts() -> Iterator[bytes]:
        seen.append(Folder(str(tmp_path)).names())
        yield b"1"

    Folder(str(tmp_path)).put("b/c", parts())
    (tmp_path / HIDDEN / "aside").rmdir()
    (tmp_path / HIDDEN).rmdir()
    Folder(str(tmp_path)).put("b/d", parts())
    assert [[name.rpartition("/")[0] for name in names] for names in seen] == [[f"{HIDDEN}/aside"], ["b", "b"]]


def test_many_files_are_flushed_without_other_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """os.sync waits for every disk of the machine, and says nothing of an error."""
    monkeypatch.setattr("os.sync", lambda: pytest.fail("all disks of the machine were flushed"))
    folder = Folder(str(tmp_path))
    folder.put_many([(f"{n % 3}/{n}", str(n).encode()) for n in range(50)])
    assert {name: folder.data(name) for name in folder.names()} == {f"{n % 3}/{n}": str(n).encode() for n in range(50)}


def test_a_disk_that_fails_to_flush_many_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int) -> int:
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr("millrace.storage.folder._LIBC", SimpleNamespace(syncfs=broken))
    with pytest.raises(DataError, match="cannot be written"):
        Folder(str(tmp_path / "x")).put_many([("a", b"1")])
    assert os.listdir(tmp_path / "x") == []


def test_faults_are_of_the_kind_that_was_asked_for(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "run"), CheckpointError)
    folder.put("folder/file", [b"x"])
    assert folder.data("folder/file") == b"x"
    with pytest.raises(CheckpointError, match="run cannot be written"):
        folder.put("folder/file/below", [b"x"])
    with pytest.raises(CheckpointError, match="run cannot be read"):
        folder.data("folder")
    with pytest.raises(FileNotFoundError):
        folder.data("none")
    with pytest.raises(CheckpointError):
        pickle.loads(pickle.dumps(folder)).data("folder")  # noqa: S301  (our own bytes)


def test_times_are_those_of_the_filesystem(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.put("a", [b"x"])
    assert abs(folder.stats()["a"].modified - time.time()) < 60


@pytest.mark.parametrize(
    "parts",
    [[], [b""], [b"12", bytearray(b"345")], [np.arange(1 << 20, dtype=np.uint8)] * 3, [np.zeros((0, 3)), b"1"]],
)
def test_the_bytes_of_all_parts_in_their_order(parts: list[Any], tmp_path: Path) -> None:
    Folder(str(tmp_path)).put("a", parts)
    assert (tmp_path / "a").read_bytes() == b"".join(bytes(part) for part in parts)


def test_names_of_a_folder_and_of_what_is_below_it(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "absent"))
    assert folder.names() == []
    folder.put_many([("b/c/d", b"1"), ("b/e", b"2"), ("a", b"")])
    assert folder.names() == ["a", "b/c/d", "b/e"]
    assert folder.names("b") == ["b/c/d", "b/e"]
    assert folder.names(deep=False) == ["a", "b"]


def test_a_folder_that_comes_and_goes_meanwhile_is_listed(tmp_path: Path) -> None:
    """pyarrow finds no folder, looks whether there is one, and is told that there is."""
    folder, ended = Folder(str(tmp_path)), threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            (tmp_path / "owners").mkdir()
            (tmp_path / "owners").rmdir()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(2000):
            assert not folder.stats("owners")
            assert folder.names("owners") == []
    finally:
        ended.set()
        thread.join(30)


def test_a_folder_that_came_as_it_was_listed_is_listed_again(tmp_path: Path) -> None:
    """The same in one step, since the moment is short."""
    folder: Any = Folder(str(tmp_path))
    real, asked = folder._fs, list[object]()

    def coming(selector: Any) -> Any:
        asked.append(selector)
        if len(asked) == 1:
            folder.put("owners/1", [b"1"])
            raise FileNotFoundError(errno.ENOENT, "Cannot list directory")
        return real.get_file_info(selector)

    folder._fs = SimpleNamespace(get_file_info=coming)
    assert list(folder.stats("owners")) == ["owners/1"]


def test_hints_and_what_is_settled_later(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.put("b/c", [b"1"], settled=False)
    folder.put_hint("b/d", b"2")
    folder.settle(["b", ""])
    assert folder.names() == ["b/c", "b/d"]
    assert folder.read("b/d").to_pybytes() == b"2"


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.put("b/c", [b"1"])
    folder.remove("a")
    folder.remove_tree("a")
    folder.remove("b/c")
    folder.remove_tree("b")
    assert folder.names() == []


def test_a_file_that_fails_on_the_way_leaves_the_old_one(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.put("a", [b"old"])

    def parts() -> object:
        yield b"new"
        raise OSError(errno.EIO, "broken")

    with pytest.raises(DataError, match="cannot be written"):
        folder.put("a", parts())  # type: ignore[arg-type]
    assert folder.read("a").to_pybytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "is full"), (errno.EACCES, "cannot be written")])
def test_faults_of_the_disk_are_told(number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(DataError, match=said) as raised:
        Folder(str(tmp_path)).put("a", [b"1"])
    assert str(tmp_path) in str(raised.value)
    assert not (tmp_path / "a").exists()


def test_folders_travel_as_their_location(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.put("a", [b"1"])
    assert pickle.loads(pickle.dumps(folder)).read("a").to_pybytes() == b"1"  # noqa: S301  (our own bytes)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s33://bucket/a", "did you mean 's3'"),
        ("http://host/a", "unknown filesystem"),
        ("s3://name:word@bucket/a", "must not hold credentials"),
        ("s3://name@bucket/a", "must not hold credentials"),
        ("gs://name:word@bucket/a", "must not hold credentials"),
        ("s3://", "not an address"),
    ],
)
def test_addresses_that_are_none(address: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        Folder(address)
    assert "word" not in str(raised.value)
