"""Errors of disks, in words."""

import errno
import os
from pathlib import Path

import pytest

from millrace.errors import CheckpointError, DataError
from millrace.storage.disk_faults import faults


@pytest.mark.parametrize(
    ("number", "said", "do"),
    [
        (errno.ENOSPC, "the disk of it is full", "make room"),
        (errno.EDQUOT, "the disk of it is full", "make room"),
        (errno.EROFS, "it cannot be written", "look there"),
        (errno.EIO, "it cannot be written", "look there"),
    ],
)
def test_an_error_says_what_and_what_to_do(number: int, said: str, do: str) -> None:
    with (
        pytest.raises(CheckpointError) as caught,
        faults("it", "cannot be written", CheckpointError, do="look there", full="make room"),
    ):
        raise OSError(number, os.strerror(number))
    assert (caught.value.what, caught.value.got, caught.value.do) == (said, os.strerror(number), do)


def test_around_more_than_writing_other_errors_and_other_folders_are_left_alone(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name in (cache / "x", tmp_path):
        with pytest.raises(DataError), faults(cache, "cannot be written", within=cache):
            raise OSError(errno.EACCES, "no", str(name))
    with pytest.raises(PermissionError), faults(cache, "cannot be written", within=cache):
        raise OSError(errno.EACCES, "no", str(tmp_path / "else"))
    with pytest.raises(InterruptedError), faults(cache, "cannot be written", within=cache):
        raise OSError(errno.EINTR, "interrupted")
    with pytest.raises(FileNotFoundError), faults(cache, "cannot be read", absent=True):
        raise FileNotFoundError(errno.ENOENT, "none")
