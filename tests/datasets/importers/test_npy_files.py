import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millrace.datasets.importers import npy_files
from millrace.datasets.importers.options import Reading
from millrace.errors import FormatError, UsageError
from millrace.formats import npy_file
from tests.datasets.server import Sample

SAMPLE = Sample(shape=(1, 9, 8), train=8, test=4)


def lay(folder: Path, **arrays: Any) -> Path:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def test_a_folder_of_named_files(tmp_path: Path) -> None:
    lay(tmp_path, **{name: array[:, 0] if array.ndim > 1 else array for name, array in SAMPLE.arrays.items()})
    lay(tmp_path, ids=np.arange(3))
    assert npy_files.claims(tmp_path) == "test_images.npy, test_labels.npy, train_images.npy, train_labels.npy"
    found = npy_files.survey(tmp_path, Reading())
    assert dict(found.inventory.counts) == {"train": (3, 3, 2), "test": (2, 1, 1)}
    assert "passed over: ids.npy" in found.inventory.notes
    assert [name for name, *_ in found.inventory.stamps] == sorted(f"{name}.npy" for name in SAMPLE.arrays)
    made = found.arrays()
    for name, array in SAMPLE.arrays.items():
        np.testing.assert_array_equal(getattr(made, name), array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_format_is_read(tmp_path: Path, version: tuple[int, int]) -> None:
    images = SAMPLE.arrays["train_images"]
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array(file, images, version)
    np.testing.assert_array_equal(npy_file.mapped(tmp_path / "a.npy"), images)


def test_another_version_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    whole = bytearray((tmp_path / "a.npy").read_bytes())
    whole[6] = 4
    (tmp_path / "a.npy").write_bytes(whole)
    with pytest.raises(FormatError, match=r"is not a \.npy array"):
        npy_file.mapped(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a", "a_images.npy", "a_labels.npy"])
def test_the_beginning_of_names_and_one_of_the_files(tmp_path: Path, name: str) -> None:
    images, labels = SAMPLE.arrays["train_images"], SAMPLE.arrays["train_labels"]
    lay(tmp_path, a_images=images, a_labels=labels)
    if name == "a":  # tells two sets apart
        lay(tmp_path, b_images=images, b_labels=labels)
    assert npy_files.claims(tmp_path / name)
    np.testing.assert_array_equal(npy_files.survey(tmp_path / name, Reading()).arrays().train_images, images)
    if name == "a":
        with pytest.raises(UsageError, match="several sets of images"):
            npy_files.survey(tmp_path, Reading())


def test_what_lacks_its_partner_is_said(tmp_path: Path) -> None:
    lay(tmp_path, x_train=SAMPLE.arrays["train_images"])
    assert npy_files.claims(tmp_path) is None
    assert npy_files.claims(tmp_path / "x_train.npy")
    with pytest.raises(FormatError, match="no images with labels"):
        npy_files.survey(tmp_path / "x_train.npy", Reading())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-1], "wrong length"),
        (lambda data: data + b"\0", "wrong length"),
        (lambda data: data[:20], "not a .npy array"),
        (lambda data: data.replace(b"(8, 1, 9, 8), }    ", b"(99999999, 9, 8), }"), "wrong length|do not fit"),
        (lambda data: data.replace(b"(8, 1, 9, 8), }", b"(1<<40, 9, 8), }"), "not a .npy array"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, change: Any, match: str) -> None:
    lay(tmp_path, images=SAMPLE.arrays["train_images"], labels=SAMPLE.arrays["train_labels"])
    path = tmp_path / "images.npy"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FormatError, match=match):
        npy_files.survey(tmp_path, Reading()).arrays()


def test_images_of_a_file_are_mapped_and_not_read(tmp_path: Path) -> None:
    # 3 GB that take no room on the disk: a hole, as a file of zeros may be stored.
    count, side = 1024, 1000
    np.save(tmp_path / "labels.npy", np.arange(count) % 2)
    np.save(tmp_path / "images.npy", np.zeros((1, 3, side, side), np.uint8))
    path = tmp_path / "images.npy"
    head = path.read_bytes()[:128].replace(b"(1, 3, 1000, 1000), }   ", b"(1024, 3, 1000, 1000), }")
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(128 + count * 3 * side * side)
    tracemalloc.start()
    try:
        made = npy_files.survey(tmp_path, Reading()).arrays()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert made.train_images.shape == (count, 3, side, side)
    assert not made.train_images[-1].any()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    lay(tmp_path, images=SAMPLE.arrays["train_images"], labels=np.array([{}] * 8, object))
    with pytest.raises(FormatError, match="never read"):
        npy_files.survey(tmp_path, Reading())
