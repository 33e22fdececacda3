"""Tables larger than memory: images are written where they will lie."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from millrace.datasets import DatasetSpec, images, labels
from millrace.datasets.arrays import Arrays
from millrace.datasets.table_files import write_tables
from millrace.datasets.table_images import FilledArrays, TableImages

SPEC = DatasetSpec("mine", "mine", "embedded", ("a", "b"))


@pytest.mark.parametrize("rows", [1, 7, 300])
@pytest.mark.parametrize("shape", [(1, 3, 5), (3, 8, 8), (3, 33, 17)])
def test_a_table_in_place_is_the_file_that_arrow_writes(tmp_path: Path, rows: int, shape: tuple[int, int, int]) -> None:
    pixels = (np.arange(rows * int(np.prod(shape))) * 7 % 251).astype(np.uint8).reshape(rows, *shape)
    marks = (np.arange(rows) % 2).astype(np.uint8)
    for name in ("plain", "place"):
        (tmp_path / name).mkdir()
    train, test = (TableImages(tmp_path / "place", split, SPEC, shape, rows) for split in ("train", "test"))
    train.images[:], test.images[:] = pixels, pixels[::-1]
    placed = FilledArrays(train.images, marks, test.images, marks, (train, test))
    write_tables(tmp_path / "place", placed, SPEC)
    write_tables(tmp_path / "plain", Arrays(pixels, marks, pixels[::-1].copy(), marks), SPEC)
    for split in ("train", "test"):
        assert (tmp_path / "place" / f"{split}.arrow").read_bytes() == (
            tmp_path / "plain" / f"{split}.arrow"
        ).read_bytes()


def test_rows_that_are_left_out_close_up(tmp_path: Path) -> None:
    room = TableImages(tmp_path, "train", SPEC, (1, 2, 2), 9)
    test = TableImages(tmp_path, "test", SPEC, (1, 2, 2), 0)
    room.images[:] = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)
    kept = np.arange(9) % 3 > 0
    room.keep(kept)
    marks = np.zeros(6, np.uint8)
    made = write_tables(tmp_path, FilledArrays(room.images, marks, test.images, marks[:0], (room, test)), SPEC)
    assert images(made.train)[:, 0, 0, 0].tolist() == [1, 2, 4, 5, 7, 8]
    assert (len(labels(made.train)), made.test.num_rows) == (6, 0)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="own pages are read from /proc")
def test_own_pages_do_not_grow_with_the_table(tmp_path: Path) -> None:
    """2.4 GB, more than 2³¹ pixels: written, digested, opened, counted and streamed. It would show as 2,400 MB."""
    command = [sys.executable, "-m", "benchmarks.large_table", "--gigabytes", "2.4", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    found = re.search(r"own pages at most (\d+) MB", done.stdout)
    assert found is not None
    assert int(found[1]) < 700
