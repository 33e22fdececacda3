"""Arrays of one's own from a path to a table: found, read, a test split drawn, kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import millrace
from millrace import datasets
from millrace.datasets import Reading
from millrace.errors import FormatError, MillraceError, UsageError
from millrace.pipeline import labels_of
from tests.datasets.server import Sample

SAMPLE = Sample(shape=(3, 9, 8), train=30, test=12)
IMAGES, LABELS = SAMPLE.arrays["train_images"], SAMPLE.arrays["train_labels"]


def save(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_the_same_arrays_in_every_kind_of_file_are_the_same_table(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.npz", **SAMPLE.arrays)
    floats = {f"{kind}_{split}": SAMPLE.arrays[f"{split}_{name}"] for split in ("train", "test") for kind, name in
              (("x", "images"), ("y", "labels"))}  # fmt: skip
    floats |= {name: array.transpose(0, 2, 3, 1) / 255 for name, array in floats.items() if name.startswith("x")}
    keras = save(tmp_path / "keras.npz", **floats)
    (tmp_path / "files").mkdir()
    for name, array in SAMPLE.arrays.items():
        np.save(tmp_path / "files" / f"{name}.npy", array)
    found = [
        datasets.find(whole),
        datasets.find(keras, Reading(range="0..1")),
        datasets.find(str(tmp_path / "files")),
    ]
    digests = {datasets.load(spec).digest for spec in found}
    assert len(digests) == 1
    table = datasets.load(found[0])
    np.testing.assert_array_equal(datasets.images(table.train), IMAGES)
    np.testing.assert_array_equal(datasets.labels(table.test), SAMPLE.arrays["test_labels"])


def test_without_a_test_split_one_is_drawn_of_each_class(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", images=IMAGES, labels=LABELS)
    table = datasets.load(datasets.find(path))
    train, test = datasets.labels(table.train), datasets.labels(table.test)
    assert np.bincount(test).tolist() == [2, 2, 2]
    assert np.bincount(train).tolist() == [8, 8, 8]
    rows = np.concatenate([datasets.images(table.train), datasets.images(table.test)])
    assert sorted(row.tobytes() for row in rows) == sorted(image.tobytes() for image in IMAGES)


def test_more_classes_than_a_byte_counts(tmp_path: Path) -> None:
    labels = np.arange(600) % 300 + 1
    images = (np.arange(600 * 64) % 251).astype(np.uint8).reshape(600, 8, 8)
    path = save(tmp_path / "a.npz", x=images, y=labels)
    table = datasets.load(datasets.find(path, Reading(labels_from=1)))
    assert len(table.classes) == 300
    found = datasets.labels(table.train)
    assert found.dtype == np.uint16
    assert sorted(found.tolist()) == list(range(300))  # one of each two is set apart to test on
    stream = millrace.stream(path, batch=300, labels_from=1)
    assert sorted(labels_of(stream[0]).tolist()) == list(range(300))


def test_a_changed_file_and_another_reading_are_other_tables(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", **SAMPLE.arrays)
    folders = {datasets.dataset_folder(datasets.find(path))}
    folders.add(datasets.dataset_folder(datasets.find(path, Reading(range="0..255"))))
    save(tmp_path / "a.npz", **{**SAMPLE.arrays, "extra": np.arange(3)})
    folders.add(datasets.dataset_folder(datasets.find(path)))
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    folders.add(datasets.dataset_folder(datasets.find(path)))
    assert len(folders) == 4


@pytest.mark.parametrize("reading", [Reading(), Reading(range="0..0.5")])
def test_what_is_refused_leaves_nothing_behind(tmp_path: Path, cache: Path, reading: Reading) -> None:
    path = save(tmp_path / "a.npz", images=IMAGES / 255, labels=LABELS)
    with pytest.raises(FormatError, match="range"):
        datasets.load(datasets.find(path, reading))
    assert not [file for file in cache.rglob("*") if file.suffix in (".arrow", ".json")]


def test_two_kinds_in_one_folder_are_an_error_that_lists_them(tmp_path: Path) -> None:
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(Sample().idx(f"train_{name.split('-')[1]}"))
    datasets.find(str(tmp_path))
    np.save(tmp_path / "images.npy", IMAGES)
    np.save(tmp_path / "labels.npy", LABELS)
    with pytest.raises(UsageError, match=r"several ways[\s\S]*npy: images\.npy, labels\.npy\n[\s\S]*IDX: train-images"):
        datasets.find(str(tmp_path))


@pytest.mark.parametrize("name", ["none", "none/none", "a.npz", "empty"])
def test_what_is_nothing_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.npz").write_bytes(b"text")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MillraceError, match=r"no such file|is not understood"):
        datasets.find(str(tmp_path / name))
