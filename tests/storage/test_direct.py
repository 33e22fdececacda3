"""Files written past the page cache: the same bytes as any other way, wherever the parts lie."""

import errno
import mmap
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from millrace.storage.direct import ALIGNED, SMALL, STAGE, pieces, write

Bytes = npt.NDArray[np.uint8]


def numbers(size: int, begin: int = 0) -> Bytes:
    """Bytes of a long period, `begin` behind an aligned place."""
    room = np.frombuffer(mmap.mmap(-1, size + ALIGNED), np.uint8)[begin : begin + size]
    room[:] = np.arange(size) % 251
    return room


PARTS = [
    [5, SMALL + 17, 100],
    [ALIGNED, SMALL, 1],
    [SMALL],
    [1, STAGE - 1, ALIGNED, SMALL],
    [0, SMALL, 0, STAGE + 1],
    [3, STAGE],  # a small one
]


@pytest.mark.parametrize("sizes", PARTS, ids=str)
@pytest.mark.parametrize("begin", [0, 64])
def test_the_bytes_of_all_parts_in_their_order(sizes: list[int], begin: int, tmp_path: Path) -> None:
    parts = [numbers(size, begin) for size in sizes]
    write(tmp_path / "a", parts)
    assert (tmp_path / "a").read_bytes() == b"".join(part.tobytes() for part in parts)


@pytest.mark.parametrize("sizes", PARTS, ids=str)
@pytest.mark.parametrize("begin", [0, 64])
def test_pieces_are_aligned_in_memory_and_file(sizes: list[int], begin: int) -> None:
    stage = np.frombuffer(mmap.mmap(-1, STAGE), np.uint8)
    found = list(pieces([numbers(size, begin) for size in sizes], stage))
    assert sum(map(len, found)) == sum(sizes)
    assert all(piece.ctypes.data % ALIGNED == 0 for piece in found)
    assert all(len(piece) % ALIGNED == 0 for piece, _ in pairwise(found))


def test_what_is_aligned_goes_out_as_it_lies() -> None:
    stage = np.frombuffer(mmap.mmap(-1, STAGE), np.uint8)
    image = numbers(3 * STAGE)
    found = list(pieces([numbers(ALIGNED, 8), image], stage))
    assert [piece.ctypes.data for piece in found] == [stage.ctypes.data, image.ctypes.data]


@pytest.mark.parametrize("where", ["open", "write"])
def test_a_filesystem_that_knows_no_such_way(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = getattr(os, where)
    refused = []

    def refusing(*arguments: object) -> object:
        if where == "open" and isinstance(arguments[1], int) and arguments[1] & os.O_DIRECT:
            refused.append(1)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if where == "write" and not refused:
            refused.append(1)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(*arguments)

    monkeypatch.setattr(os, where, refusing)
    parts = [numbers(SMALL + 5), np.frombuffer(b"the end", np.uint8)]
    write(tmp_path / "a", parts)
    assert refused
    assert (tmp_path / "a").read_bytes() == parts[0].tobytes() + b"the end"


def test_other_faults_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "a", [numbers(SMALL)])


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(FileExistsError):
        write(tmp_path / "a", [b"2"])
