import errno
import os
from pathlib import Path

import pytest

from millrace.errors import DataError
from millrace.storage.files import storage_errors, sweep, written_aside
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
    with written_aside(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_file_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"new")

    def interrupted() -> None:
        with written_aside(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    for name in (".a.123.tmp", "a", "a.part"):
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "a.part"]


@pytest.mark.parametrize(
    ("number", "match"),
    [
        (errno.ENOSPC, "disk of the cache folder is full"),
        (errno.EDQUOT, "disk of the cache folder is full"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
    ],
)
def test_disk_errors_say_what_to_do(tmp_path: Path, number: int, match: str) -> None:
    with pytest.raises(DataError, match=match) as caught, storage_errors(tmp_path):
        raise OSError(number, os.strerror(number), str(tmp_path / "x"))
    assert "MILLRACE_CACHE" in str(caught.value.do)
    assert str(tmp_path) in str(caught.value)


def test_other_errors_and_other_folders_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), storage_errors(tmp_path / "cache"):
        raise OSError(errno.EACCES, "no", str(tmp_path / "else"))
    with pytest.raises(InterruptedError), storage_errors(tmp_path):
        raise OSError(errno.EINTR, "interrupted")
