import struct
from pathlib import Path

import numpy as np
import pytest

from millrace.datasets.importers import idx_files
from millrace.datasets.importers.options import PLAIN, Reading
from millrace.errors import FormatError, UsageError
from tests.datasets.server import Sample, gz

SAMPLE = Sample(shape=(1, 9, 8), train=8, test=4)
NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def lay(folder: Path, pattern: str = "{}", *, packed: bool = False) -> Path:
    for part, name in NAMES.items():
        data = SAMPLE.idx(part)
        (folder / pattern.format(name)).write_bytes(gz(data) if packed else data)
    return folder


def check(path: Path, reading: Reading = PLAIN) -> None:
    assert idx_files.claims(path)
    found = idx_files.survey(path, reading)
    assert dict(found.inventory.counts) == {"train": (3, 3, 2), "test": (2, 1, 1)}
    made = found.arrays()
    for name, array in SAMPLE.arrays.items():
        np.testing.assert_array_equal(getattr(made, name), array)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("pattern", ["{}", "{}.gz", "mine-{}"])
def test_the_four_names_are_found_and_bytes_say_what_is_packed(tmp_path: Path, pattern: str, packed: bool) -> None:
    check(lay(tmp_path, pattern, packed=packed))


def test_names_with_dots_and_files_that_lie_there_packed_too(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").rename(tmp_path / "train-images.idx3-ubyte")
    (tmp_path / "t10k-labels-idx1-ubyte").rename(tmp_path / "test-labels.idx1-ubyte.idx")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"not read")
    check(tmp_path)


def test_several_sets_are_told_apart_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    lay(tmp_path, "one-{}")
    lay(tmp_path, "other-{}")
    with pytest.raises(UsageError, match="several sets of images"):
        idx_files.survey(tmp_path, Reading())
    check(tmp_path / "one")


def test_qmnist(tmp_path: Path) -> None:
    for part, name in (("train", "train"), ("test", "test")):
        (tmp_path / f"qmnist-{name}-images-idx3-ubyte.gz").write_bytes(gz(SAMPLE.idx(f"{part}_images")))
        rows = np.zeros((len(SAMPLE.arrays[f"{part}_labels"]), 8), ">i4")
        rows[:, 0], rows[:, 2] = SAMPLE.arrays[f"{part}_labels"], 2000
        data = struct.pack(">3I", 0xC02, len(rows), 8) + rows.tobytes()
        (tmp_path / f"qmnist-{name}-labels-idx2-int.gz").write_bytes(gz(data))
    check(tmp_path)


def test_other_types_and_four_dimensions(tmp_path: Path) -> None:
    for split, name in (("train", "train"), ("test", "t10k")):
        images = SAMPLE.arrays[f"{split}_images"]
        data = struct.pack(">5I", 0xD04, len(images), 9, 8, 1) + (images / 255).astype(">f4").tobytes()
        (tmp_path / f"{name}-images-idx4-float").write_bytes(data)
        labels = np.eye(3)[SAMPLE.arrays[f"{split}_labels"]]
        data = struct.pack(">3I", 0x902, len(labels), 3) + labels.astype("i1").tobytes()
        (tmp_path / f"{name}-labels-idx2-byte").write_bytes(data)
    check(tmp_path, Reading(range="0..1"))


def test_swapped_files_are_called_that(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(SAMPLE.idx("train_labels"))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(SAMPLE.idx("train_images"))
    with pytest.raises(
        FormatError, match=r"train-labels-idx1-ubyte holds images, and should be labels[\s\S]*swapped\?"
    ):
        idx_files.survey(tmp_path, Reading())


def test_what_is_no_idx_is_not_claimed(tmp_path: Path) -> None:
    for name in NAMES.values():
        (tmp_path / name).write_bytes(b"text")
    assert idx_files.claims(tmp_path) is None
    assert idx_files.claims(tmp_path / NAMES["train_images"]) is None
    assert idx_files.claims(tmp_path / "none" / "none") is None


def test_that_emnist_lies_transposed_is_said(tmp_path: Path) -> None:
    found = idx_files.survey(lay(tmp_path, "emnist-letters-{}"), Reading())
    assert "transposed" in found.inventory.notes[0]


def test_a_split_without_labels_is_passed_over_and_said(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    found = idx_files.survey(tmp_path, Reading()).inventory
    assert (list(found.counts), found.notes) == (["train"], ("passed over: t10k-images-idx3-ubyte",))
