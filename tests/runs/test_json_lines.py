"""Lines of metrics: whole, in order, cut back to where a run goes on."""

import errno
import io
from pathlib import Path

import pytest

from millrace.errors import CheckpointError
from millrace.runs.json_lines import Lines
from tests.workers.runs import lines


def write(path: Path, keep: int, steps: range) -> None:
    file = Lines(path, "step", keep)
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


def test_flushed_lines_are_seen_by_others(tmp_path: Path) -> None:
    file = Lines(tmp_path / "metrics.jsonl", "step", 0)
    file.write({"step": 0})
    file.flush()
    assert lines(tmp_path / "metrics.jsonl") == [{"step": 0}]
    file.close()


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    file = Lines(tmp_path / "metrics.jsonl", "step", 0)
    with pytest.raises(ValueError):
        file.write({"step": 0, "loss": float("nan")})
    file.close()


def test_a_disk_that_refuses_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="metrics cannot be written"):
        Lines(tmp_path / "absent" / "metrics.jsonl", "step", 0)


class Full(io.BytesIO):
    """A file on a disk without room."""

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    file = Lines(tmp_path / "metrics.jsonl", "step", 0)
    file.close()
    file._file = Full()
    file.write({"step": 0})
    with pytest.raises(CheckpointError, match="No space left on device"):
        file.flush()
    with pytest.raises(CheckpointError, match="metrics cannot be written"):
        file.close()
