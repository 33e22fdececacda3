"""Lines of metrics: whole, in order, cut back to where a run goes on."""

import errno
import io
import os
from pathlib import Path

import pytest

from millrace.errors import CheckpointError
from millrace.runs.json_lines import JsonLines, append_line, read_lines
from tests.workers.runs import lines


def write(path: Path, keep: int, steps: range) -> None:
    file = JsonLines(path, "step", keep)
    for step in steps:
        file.write({"step": step, "loss": 0.1 * step})
    file.close()


def test_lines_are_appended_and_cut_at_the_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, 0, range(6))
    write(path, 4, range(4, 9))
    assert [line["step"] for line in lines(path)] == list(range(9))
    write(path, 0, range(2))
    assert [line["step"] for line in lines(path)] == [0, 1]


@pytest.mark.parametrize(
    "torn", [b'{"step": 3, "lo', b'{"step": 3}', b"\0\0\0\n", b"[]\n", b'{"loss": 1}\n', b"\xff\n"]
)
def test_a_torn_line_and_what_follows_is_cut(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, 0, range(3))
    with path.open("ab") as file:
        file.write(torn)
    write(path, 10, range(3, 5))
    assert [line["step"] for line in lines(path)] == list(range(5))


def test_a_driver_that_was_followed_writes_into_no_file_of_the_next(tmp_path: Path) -> None:
    """On a disk that machines share: it slept while it had the file open."""
    path = tmp_path / "metrics.jsonl"
    sleeping = JsonLines(path, "step", 0)
    sleeping.write({"step": 0})
    sleeping.flush()
    write(path, 1, range(1, 3))
    sleeping.write({"step": 1})
    sleeping.flush()
    sleeping.abandon()
    assert [line["step"] for line in lines(path)] == [0, 1, 2]


def test_flushed_lines_are_seen_by_others(tmp_path: Path) -> None:
    file = JsonLines(tmp_path / "metrics.jsonl", "step", 0)
    file.write({"step": 0})
    file.flush()
    assert lines(tmp_path / "metrics.jsonl") == [{"step": 0}]
    file.close()


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    file = JsonLines(tmp_path / "metrics.jsonl", "step", 0)
    with pytest.raises(ValueError):
        file.write({"step": 0, "loss": float("nan")})
    file.close()


def test_a_disk_that_refuses_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl cannot be written"):
        JsonLines(tmp_path / "absent" / "metrics.jsonl", "step", 0)


class Full(io.BytesIO):
    """A file on a disk without room."""

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    file = JsonLines(tmp_path / "metrics.jsonl", "step", 0)
    file.close()
    file._file = Full()
    file.write({"step": 0})
    with pytest.raises(CheckpointError, match="No space left on device"):
        file.flush()
    with pytest.raises(CheckpointError, match=r"disk of .*metrics\.jsonl is full"):
        file.close()


TORN = [b'{"step": 3, "lo', b"\0\0\0\n", b"[]\n", b"\xff\n", b'{"step": 3}']


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_line_is_left_out(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "incidents.jsonl"
    assert read_lines(path) == []
    append_line(path, {"step": 1})
    with path.open("ab") as file:
        file.write(torn)
    assert read_lines(path) == [{"step": 1}]
    append_line(path, {"step": 2})
    append_line(path, {"step": 4})
    assert [line["step"] for line in read_lines(path) if line != {"step": 3}] == [1, 2, 4]


def test_an_appended_line_is_on_the_disk_and_so_is_the_name_of_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, bytes]] = []

    def fsync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        flushed.append((path.name, path.read_bytes() if path.is_file() else b""))

    monkeypatch.setattr("os.fsync", fsync)
    append_line(tmp_path / "a.jsonl", {"step": 1})
    append_line(tmp_path / "a.jsonl", {"step": 2})
    one, two = b'{"step": 1}\n', b'{"step": 2}\n'
    assert flushed == [("a.jsonl", one), (tmp_path.name, b""), ("a.jsonl", one + two)]
