import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.storage.files import is_temporary, sweep, temporary, whole_file, write_folder, write_whole
from millrace.user_cache import user_cache


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("MILLRACE_CACHE", "~/mine")
    assert user_cache() == tmp_path / "mine"
    monkeypatch.delenv("MILLRACE_CACHE")
    assert user_cache() == tmp_path / "xdg" / "millrace"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_cache() == tmp_path / ".cache" / "millrace"
    monkeypatch.setattr("sys.platform", "darwin")
    assert user_cache() == tmp_path / "Library" / "Caches" / "millrace"


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_file_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"new")

    def interrupted() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    for name in (".a.123.tmp", ".result.json.4711.partial", "a", "a.part"):
        (tmp_path / name).touch()
    (tmp_path / ".step-1.0123456789ab.tmp").mkdir()
    (tmp_path / ".step-1.0123456789ab.tmp" / "file").touch()
    sweep(tmp_path)
    sweep(tmp_path / "missing")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "a.part"]


def test_a_whole_file_survives_a_power_cut_by_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        flushed.append(Path(os.readlink(f"/proc/self/fd/{handle}")))
        real(handle)

    monkeypatch.setattr("os.fsync", fsync)
    write_whole(tmp_path / "result.json", b"{}")
    fresh, folder = flushed
    assert is_temporary(fresh)
    assert folder == tmp_path
    assert (tmp_path / "result.json").read_bytes() == b"{}"


@pytest.mark.parametrize("make", [write_whole, lambda path, data: write_folder(path, {"file": data})])
def test_a_full_disk_leaves_the_old_one_and_nothing_else(
    make: Callable[[Path, bytes], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "a", b"old")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    for name in ("a", "b"):
        with pytest.raises(OSError, match="No space"):
            make(tmp_path / name, b"new")
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_two_containers_with_the_same_process_number_do_not_share_a_name(tmp_path: Path) -> None:
    """Process 1 in each, on one network disk: a name of the process's number alone would be the same file."""
    path = tmp_path / "a"
    with whole_file(path) as one, whole_file(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one"
    assert temporary(path) != temporary(path)


def test_a_folder_replaces_what_has_its_name(tmp_path: Path) -> None:
    for files in ({"a": b"1", "b": b"2"}, {"c": b"3"}):
        write_folder(tmp_path / "runs" / "x", files)
        assert {path.name: path.read_bytes() for path in (tmp_path / "runs" / "x").iterdir()} == files
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["x"]
