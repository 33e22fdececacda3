"""Folders with a folder for each class: what is a class, a split, a picture, and what is passed over."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from millrace import datasets
from millrace.datasets import Reading, images, labels
from millrace.datasets.importers import class_folders
from millrace.errors import FormatError, UsageError
from tests.datasets.importers.drawn import folders, pixels


def names(path: Path, split: str = "train") -> list[str]:
    return [one.name for one in class_folders.survey(path, Reading()).pictures(split)]


def test_each_folder_is_a_class_and_rows_stand_in_the_order_of_the_names(tmp_path: Path) -> None:
    folders(tmp_path, {"b": 2, "a-c": 1, "a": 1})
    found = class_folders.survey(tmp_path, Reading()).inventory
    assert (found.kind, found.classes, found.counts) == ("class folders", ("a", "a-c", "b"), {"train": (1, 1, 2)})
    assert names(tmp_path) == ["a-c/000.png", "a/000.png", "b/000.png", "b/001.png"]
    assert [one.label for one in class_folders.survey(tmp_path, Reading()).pictures("train")] == [1, 0, 2, 2]


def test_a_list_of_classes_orders_the_folders(tmp_path: Path) -> None:
    folders(tmp_path, {"a": 1, "b": 2})
    (tmp_path / "classes.txt").write_text("b\nz\na\n")
    found = class_folders.survey(tmp_path, Reading())
    assert (found.inventory.classes, found.inventory.counts) == (("b", "z", "a"), {"train": (2, 0, 1)})
    assert [(one.name, one.label) for one in found.pictures("train")] == [("a/000.png", 2), ("b/000.png", 0),
        ("b/001.png", 0)]  # fmt: skip
    assert "classes.txt" in [stamp[0] for stamp in found.inventory.stamps]
    (tmp_path / "classes.txt").write_text("b\nz\n")
    with pytest.raises(FormatError, match="a folder of pictures is none of the classes"):
        class_folders.survey(tmp_path, Reading())


def test_the_table_holds_the_pixels_of_the_files(tmp_path: Path) -> None:
    folders(tmp_path / "mine", {"cat": 10, "dog": 10})
    made = datasets.load(datasets.find(str(tmp_path / "mine")), cache=tmp_path)
    assert (made.classes, made.shape) == (("cat", "dog"), (3, 12, 10))
    assert (made.train.num_rows, made.test.num_rows) == (16, 4)
    rows = {(int(label), image.tobytes()) for table in (made.train, made.test) for label, image in zip(
        labels(table), images(table), strict=True)}  # fmt: skip
    drawn = {(c, np.moveaxis(pixels(i + 50 * c), -1, 0).tobytes()) for c in range(2) for i in range(10)}
    assert rows == drawn
    assert sorted(labels(made.test).tolist()) == [0, 0, 1, 1]


@pytest.mark.parametrize("held", ["test", "val", "valid", "Validation"])
def test_split_folders_are_splits(tmp_path: Path, held: str) -> None:
    folders(tmp_path / "mine" / "train", {"cat": 3, "dog": 2})
    folders(tmp_path / "mine" / held, {"cat": 1, "dog": 1})
    made = datasets.load(datasets.find(str(tmp_path / "mine")), cache=tmp_path)
    assert (made.train.num_rows, made.test.num_rows) == (5, 2)


def test_validation_pictures_train_where_there_are_test_pictures(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        folders(tmp_path / "mine" / split, {"cat": count, "dog": count})
    made = datasets.load(datasets.find(str(tmp_path / "mine")), cache=tmp_path)
    assert (made.train.num_rows, made.test.num_rows) == (10, 2)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folders(tmp_path, {"bus": 1, "train": 1})
    assert class_folders.survey(tmp_path, Reading()).inventory.classes == ("bus", "train")


def test_splits_beside_classes_are_refused_with_both(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 1, "dog": 1})
    folders(tmp_path, {"owl": 1})
    with pytest.raises(UsageError, match="train beside owl"):
        class_folders.survey(tmp_path, Reading())


def test_what_systems_leave_behind_is_passed_over_and_said(tmp_path: Path) -> None:
    folders(tmp_path, {"cat": 1, "dog": 1, "__MACOSX": 1, ".ipynb_checkpoints": 1, "lost+found": 1})
    (tmp_path / "empty").mkdir()
    for name in (".DS_Store", "._000.png", "Thumbs.db", "desktop.ini", "notes.txt"):
        (tmp_path / "cat" / name).write_bytes(b"x")
    found = class_folders.survey(tmp_path, Reading()).inventory
    assert (found.classes, found.counts) == (("cat", "dog"), {"train": (1, 1)})
    assert found.notes == (
        "1 files that are no pictures by their name (.txt): passed over",
        "4 hidden files and what systems leave behind: passed over",
        "empty/ holds no pictures and is no class",
    )


def test_nested_folders_belong_to_their_class_and_loops_end(tmp_path: Path) -> None:
    mine, elsewhere = tmp_path / "mine", folders(tmp_path / "elsewhere", {"cats": 1})
    folders(mine, {"cat": 1, "dog": 1, "cat/kittens": 2})
    os.symlink(mine / "cat", mine / "cat" / "kittens" / "again")
    os.symlink(elsewhere / "cats", mine / "cat" / "linked")
    assert names(mine) == ["cat/000.png", "cat/kittens/000.png", "cat/kittens/001.png", "cat/linked/000.png",
        "dog/000.png"]  # fmt: skip
    notes = class_folders.survey(mine, Reading()).inventory.notes
    assert "cat/kittens/again/ leads to a folder that is read already: passed over" in notes
    assert "cat/ has folders within: their pictures belong to cat" in notes


@pytest.mark.parametrize(
    ("place", "target", "got"),
    [
        ("pets", "dog", "pets/, which leads to what dog/ holds"),
        ("cat/linked", "dog", "dog/, which leads to what cat/ holds"),
        ("zoo", ".", "zoo/, which leads to what the folder of the classes holds"),
        ("cat/all", ".", "cat/all/, which leads to what the folder of the classes holds"),
    ],
)
def test_a_link_by_which_pictures_would_have_two_classes_is_refused(
    tmp_path: Path, place: str, target: str, got: str
) -> None:
    folders(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / place).symlink_to(tmp_path / target, target_is_directory=True)
    with pytest.raises(FormatError, match="the same pictures would have two classes") as caught:
        class_folders.survey(tmp_path, Reading())
    assert caught.value.got == got


def test_a_folder_of_loose_pictures_is_not_understood(tmp_path: Path) -> None:
    Image.fromarray(pixels(0)).save(tmp_path / "a.png")
    with pytest.raises(FormatError, match="is not understood as a dataset"):
        datasets.find(str(tmp_path))


def test_one_class_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="too few classes"):
        datasets.find(str(folders(tmp_path, {"cat": 2})))


def test_a_reading_is_for_paths_alone() -> None:
    with pytest.raises(UsageError, match="digits is not read from files of one's own"):
        datasets.find("digits", Reading(size=(8, 8)))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system has no /proc")
def test_few_passes_are_made_over_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders(tmp_path, {"cat": 2, "dog": 2})
    passes: list[Path] = []
    real = os.scandir

    def counted(folder: str | int) -> Any:
        passes.append(Path(os.readlink(f"/proc/self/fd/{folder}") if isinstance(folder, int) else folder))
        return real(folder)

    monkeypatch.setattr(os, "scandir", counted)
    datasets.find(str(tmp_path))
    # Whether it holds a picture; whether it holds any other importer's files; its pictures.
    assert passes.count(tmp_path / "cat") == 3
