import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millrace.datasets.importers import npz_file
from millrace.datasets.importers.options import Reading
from millrace.errors import FormatError, UsageError
from tests.datasets.server import Sample

SAMPLE = Sample(shape=(3, 9, 8), train=8, test=4)
TRAIN, TRAIN_LABELS = SAMPLE.arrays["train_images"], SAMPLE.arrays["train_labels"]
TEST, TEST_LABELS = SAMPLE.arrays["test_images"], SAMPLE.arrays["test_labels"]
KERAS = {"x_train": TRAIN, "y_train": TRAIN_LABELS, "x_test": TEST, "y_test": TEST_LABELS}


def lay(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def last(images: Any) -> Any:
    return images.transpose(0, 2, 3, 1)


WAYS: dict[str, tuple[dict[str, Any], Reading]] = {
    "Keras": (KERAS, Reading()),
    "our names": (SAMPLE.arrays, Reading()),
    "channels last": (KERAS | {"x_train": last(TRAIN), "x_test": last(TEST)}, Reading()),
    "float": (KERAS | {"x_train": TRAIN / np.float32(255), "x_test": TEST / 255}, Reading(range="0..1")),
    "uint16": (KERAS | {"x_train": TRAIN * np.uint16(257), "x_test": TEST * np.uint16(257)}, Reading(range="0..65535")),
    "columns": (KERAS | {"y_train": TRAIN_LABELS[:, None].astype(np.int64), "y_test": TEST_LABELS[:, None]}, Reading()),
    "one-hot": (KERAS | {"y_train": np.eye(3)[TRAIN_LABELS], "y_test": np.eye(3, dtype=int)[TEST_LABELS]}, Reading()),
    "from one": (KERAS | {"y_train": TRAIN_LABELS + 1, "y_test": TEST_LABELS + 1}, Reading(labels_from=1)),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_writing_gives_the_same_arrays(tmp_path: Path, way: str) -> None:
    arrays, reading = WAYS[way]
    path = lay(tmp_path, **arrays)
    assert npz_file.claims(path)
    found = npz_file.survey(path, reading)
    assert found.inventory.classes == ("0", "1", "2")
    assert dict(found.inventory.counts) == {"train": (3, 3, 2), "test": (2, 1, 1)}
    assert found.inventory.sizes == {(9, 8): 12}
    assert not found.encoded
    made = found.arrays()
    for name, array in SAMPLE.arrays.items():
        np.testing.assert_array_equal(getattr(made, name), array)
        assert getattr(made, name).dtype == np.uint8


def test_a_single_split_leaves_the_test_split_empty(tmp_path: Path) -> None:
    found = npz_file.survey(lay(tmp_path, images=TRAIN, labels=TRAIN_LABELS), Reading())
    assert list(found.inventory.counts) == ["train"]
    made = found.arrays()
    np.testing.assert_array_equal(made.train_images, TRAIN)
    assert made.test_images.shape == (0, 3, 9, 8)
    assert made.test_labels.shape == (0,)


def test_a_validation_split_is_tested_on_where_there_is_no_other(tmp_path: Path) -> None:
    arrays = {"train_images": TRAIN, "train_labels": TRAIN_LABELS, "val_images": TEST, "val_labels": TEST_LABELS}
    found = npz_file.survey(lay(tmp_path, **arrays), Reading())
    assert list(found.inventory.counts) == ["train", "test"]
    np.testing.assert_array_equal(found.arrays().test_images, TEST)
    found = npz_file.survey(lay(tmp_path, **arrays, test_images=TEST, test_labels=TEST_LABELS), Reading())
    assert list(found.inventory.counts) == ["train", "validation", "test"]
    assert "4 images train too" in " ".join(found.inventory.notes)
    np.testing.assert_array_equal(found.arrays().train_images, np.concatenate([TRAIN, TEST]))
    np.testing.assert_array_equal(found.arrays().train_labels, np.concatenate([TRAIN_LABELS, TEST_LABELS]))


def test_names_of_classes_are_in_the_file_or_beside_it(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    path = lay(tmp_path, **KERAS)
    beside = npz_file.survey(path, Reading()).inventory
    assert beside.classes == ("a", "b", "c")
    assert [name for name, *_ in beside.stamps] == ["a.npz", "classes.txt"]
    within = npz_file.survey(lay(tmp_path, **KERAS, classes=np.array(["x", "y", "z"])), Reading()).inventory
    assert within.classes == ("x", "y", "z")
    assert [name for name, *_ in within.stamps] == ["a.npz"]


def test_what_is_worth_knowing_is_noted(tmp_path: Path) -> None:
    arrays = {"x_train": np.zeros((3, 6, 600), np.float16), "y_train": np.array([1, 2, 1]), "ids": np.arange(3)}
    found = npz_file.survey(lay(tmp_path, **arrays), Reading()).inventory
    assert found.modes == {"float16, 1 channel": 3}
    notes = " | ".join(found.notes)
    for part in (
        "passed over: ids",
        "`labels_from=1`",
        "float16 pixels need `range=LOW",
        "6×600 is taken, but lies outside",
    ):
        assert part in notes


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"arr_0": TRAIN, "arr_1": TRAIN_LABELS}, r"arr_0 uint8 \(8, 3, 9, 8\), arr_1 uint8 \(8,\)"),
        ({"x": TRAIN_LABELS, "y": TRAIN}, "swapped"),
        ({"x": TRAIN[:5], "y": TRAIN_LABELS}, r"do not fit[\s\S]*5 images, 8 labels"),
        ({"x": TRAIN.reshape(8, -1), "y": TRAIN_LABELS}, "not a stack of images"),
        ({**KERAS, "x_test": TEST[:, :1]}, "differ in the shape"),
        ({"x": TRAIN, "y": np.array([{}] * 8, object)}, "objects hold pickles, which are never read"),
        ({"x": TRAIN, "y": np.array(["cat", "dog"] * 4)}, "y holds text: number the classes"),
        ({"x": np.zeros((8, 8, 9, 8), np.uint8), "y": TRAIN_LABELS}, "layout: chw or layout: hwc"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, arrays: dict[str, Any], match: str) -> None:
    with pytest.raises(FormatError, match=match):
        npz_file.survey(lay(tmp_path, **arrays), Reading())


def test_pixels_without_their_range_are_refused_when_they_are_read(tmp_path: Path) -> None:
    path = lay(tmp_path, x=TRAIN / 255, y=TRAIN_LABELS)
    with pytest.raises(FormatError, match=r"a\.npz: x: float64 pixels need a range"):
        npz_file.survey(path, Reading()).arrays()
    with pytest.raises(FormatError, match="outside of its range"):
        npz_file.survey(path, Reading(range="0..0.5")).arrays()


def test_what_is_for_pictures_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="arrays are taken as they are"):
        npz_file.survey(lay(tmp_path, **KERAS), Reading(fit="crop"))


def test_a_path_is_claimed_by_its_first_bytes(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.savez(out, x=TRAIN, y=TRAIN_LABELS)
    for name, data, claimed in (
        ("a.npz", out.getvalue(), True),
        ("a.zip", out.getvalue(), True),
        ("b.npz", b"PK\x03\x04", True),  # refused when it is read
        ("b.zip", b"PK\x03\x04", False),
        ("c.npz", b"text", False),
        ("d.npz", b"", False),
    ):
        (tmp_path / name).write_bytes(data)
        assert bool(npz_file.claims(tmp_path / name)) == claimed, name
    assert npz_file.claims(tmp_path) is None
    assert npz_file.claims(tmp_path / "none.npz") is None
    with pytest.raises(FormatError, match="not a readable npz"):
        npz_file.survey(tmp_path / "b.npz", Reading())
