"""Folders that could be splits or classes: what is clear is taken, nothing else is guessed."""

from pathlib import Path

import pytest
from PIL import Image

from millrace import datasets
from millrace.datasets import Reading
from millrace.datasets.importers import class_folders
from millrace.datasets.importers.folder_structure import structure
from millrace.errors import FormatError, UsageError
from tests.datasets.importers.drawn import folders, pixels


def stray(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(1)).save(path)


def test_splits_without_classes_are_no_classes(tmp_path: Path) -> None:
    """As competitions have them: train/1.jpg, test/2.jpg, and the labels elsewhere."""
    folders(tmp_path, {"train": 2, "test": 2})
    with pytest.raises(FormatError, match="the pictures of test and train have no classes"):
        datasets.find(str(tmp_path))


def test_a_test_split_without_classes_is_refused(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 2, "dog": 2})
    stray(tmp_path / "test" / "1.png")
    with pytest.raises(UsageError, match="not clear of which class a picture is") as caught:
        datasets.find(str(tmp_path))
    assert caught.value.got == "test/1.png"


def test_one_picture_beside_the_classes_does_not_make_a_class_of_the_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        folders(tmp_path / split, {"cat": 2, "dog": 2})
    stray(tmp_path / "train" / "preview.png")
    with pytest.raises(UsageError, match="not clear of which class a picture is") as caught:
        datasets.find(str(tmp_path))
    assert caught.value.got == "train/preview.png"


def test_splits_alone_that_do_not_train_are_refused(tmp_path: Path) -> None:
    for split in ("val", "test"):
        folders(tmp_path / split, {"cat": 2, "dog": 2})
    with pytest.raises(FormatError, match="no pictures to train on"):
        datasets.find(str(tmp_path))


def test_a_split_of_another_name_is_not_a_class_beside_others(tmp_path: Path) -> None:
    for split in ("training_images", "test"):
        folders(tmp_path / split, {"cat": 2, "dog": 2})
    with pytest.raises(UsageError, match="splits and other folders of pictures side by side"):
        datasets.find(str(tmp_path))


def test_classes_may_be_called_as_splits_are(tmp_path: Path) -> None:
    folders(tmp_path, {"bus": 1, "train": 1, "test": 1})
    assert list(structure(tmp_path).splits["train"]) == ["bus", "test", "train"]


def test_an_empty_folder_of_a_split_counts_for_nothing(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 2, "dog": 2})
    (tmp_path / "test").mkdir()
    assert list(structure(tmp_path).splits) == ["train"]


def test_loose_pictures_are_passed_over_and_said(tmp_path: Path) -> None:
    folders(tmp_path, {"cat": 2, "dog": 2})
    stray(tmp_path / "b.png")
    stray(tmp_path / "a.png")
    notes = class_folders.survey(tmp_path, Reading()).inventory.notes
    assert notes == ("2 pictures that lie in no folder of a class, such as a.png: passed over",)


def test_the_folder_around_the_dataset_is_told_from_it(tmp_path: Path) -> None:
    folders(tmp_path / "flowers", {"daisy": 2, "rose": 2})
    with pytest.raises(FormatError, match="too few classes") as caught:
        datasets.find(str(tmp_path))
    assert caught.value.do == "give the path of the folder in which those of the classes lie"


@pytest.mark.parametrize("asked", [{"labels": "colour"}, {"labels_from": 1}])
def test_what_has_no_meaning_for_folders_is_refused(tmp_path: Path, asked: dict[str, str | int]) -> None:
    folders(tmp_path, {"cat": 2, "dog": 2})
    with pytest.raises(UsageError, match="the folders are the labels"):
        datasets.find(str(tmp_path), Reading(**asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("held", ["test", "val"])
def test_a_test_share_beside_a_test_split_is_refused(tmp_path: Path, held: str) -> None:
    for split in ("train", held):
        folders(tmp_path / split, {"cat": 2, "dog": 2})
    with pytest.raises(UsageError, match="has a split to test on"):
        datasets.find(str(tmp_path), Reading(test_share=0.5))
