"""`millrace datasets PATH`: what is understood of files of one's own, before anything is decoded."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.datasets.importers.drawn import folders, pixels


def test_a_folder_is_understood_without_decoding_it(door: Any, home: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("millrace.datasets.decoding.pixels.fitted", None)
    mine = folders(home / "mine", {"cat": 5, "dog": 10})
    Image.fromarray(pixels(0, 30, 20)[..., 0]).save(mine / "cat" / "grey.png")
    (mine / "cat" / "broken.png").write_bytes(b"no picture")
    (mine / "cat" / "Thumbs.db").write_bytes(b"x")
    assert door(f"datasets {mine}") == 0
    lines = [" ".join(line.split()) for line in door.out.splitlines()]
    for line in (
        "mine: 17 images (class folders)",
        "classes cat, dog",
        "images train 17 (cat 7, dog 10)",
        "rows 14 to train on, 3 to test on, drawn from each class: the files have no test split (--test-share)",
        "sizes 12×10 (15), 30×20 (1)",
        "pixels colour (15), grey (1)",
        "become not said yet: add --size 64 64, or another; --fit (pad, crop or stretch) says how",
        "cached no: training decodes them first",
        "notes 1 hidden files and what systems leave behind: passed over",
        "bad cat/broken.png: no image",
    ):
        assert line in lines
    assert door(f"datasets {mine} --size 16 24 --json") == 0
    found = json.loads(door.out)
    assert found["shape"] == [3, 16, 24]
    assert found["counts"] == {"train": [7, 10]}
    assert found["sizes"] == [{"height": 12, "width": 10, "count": 15}, {"height": 30, "width": 20, "count": 1}]
    assert found["bad"] == {"cat/broken.png": "no image"}


def test_classes_without_training_pictures_are_said(door: Any, home: Path) -> None:
    mine = folders(home / "mine" / "train", {"cat": 2, "dog": 2}).parent
    folders(mine / "val", {"cat": 1, "Dog": 1})
    assert door(f"datasets {mine} --json") == 0
    assert json.loads(door.out)["notes"] == [
        "there is no test split: the one for validation is tested on",
        "classes with nothing to train on: Dog",
        "'Dog' and 'dog' are 2 classes, whose names hardly differ",
    ]


def test_a_range_that_changes_nothing_is_said(door: Any, home: Path) -> None:
    mine = folders(home / "mine", {"cat": 2, "dog": 2})
    assert door(f"datasets {mine} --range 0..1000") == 0
    assert "--range changes nothing: no picture has pixels of 16 or 32 bits or floats" in door.out
    Image.fromarray(np.zeros((12, 10), np.uint16)).save(mine / "cat" / "wide.png")
    assert door(f"datasets {mine} --range 0..1000") == 0
    assert "changes nothing" not in door.out


def test_fetch_decodes_and_keeps(door: Any, home: Path) -> None:
    mine = folders(home / "mine", {"cat": 5, "dog": 5})
    assert door(f"fetch {mine} --size 8 8") == 0
    assert "8 + 2 images, 3×8×8, 2 classes" in door.out
    assert door(f"fetch {mine} --size 8 8") == 0
    assert "in the cache already" in door.out


def test_files_are_read_as_the_environment_says(door: Any, home: Path, monkeypatch: Any) -> None:
    mine = folders(home / "mine", {"cat": 5, "dog": 5})
    monkeypatch.setenv("MILLRACE_SIZE", "16 24")
    monkeypatch.setenv("MILLRACE_TEST_SHARE", "0.4")
    assert door(f"datasets {mine} --json") == 0
    found = json.loads(door.out)
    assert (found["shape"], found["rows"]) == ([3, 16, 24], {"train": 6, "test": 4})
    assert door(f"fetch {mine} --fit crop") == 0
    assert "6 + 4 images, 3×16×24" in door.out
    assert door(f"fetch {mine} --size 8 8") == 0
    assert "6 + 4 images, 3×8×8" in door.out
    for command in ("datasets", "fetch", "train --dataset", "preview --dataset"):
        assert door(f"{command} digits") == 2
        assert "digits is not read from files of one's own (set by MILLRACE_SIZE)" in door.err


def test_a_folder_that_is_nothing_says_what_is_taken(door: Any, home: Path) -> None:
    (home / "nothing").mkdir()
    assert door(f"datasets {home / 'nothing'}") == 1
    assert "a folder with a folder of pictures for each class" in door.err


def test_a_folder_of_pictures_without_classes_says_that(door: Any, home: Path) -> None:
    (home / "flat").mkdir()
    for number in (1, 2):
        Image.fromarray(pixels(number, 8, 8)).save(home / "flat" / f"{number}.png")
    assert door(f"datasets {home / 'flat'}") == 1
    assert "got:      2 pictures that lie in no folder of a class, such as 1.png" in door.err


def test_of_arrays_the_rows_and_the_shape_are_those_that_will_be_made(door: Any, home: Path) -> None:
    images, labels = np.zeros((20, 8, 9, 3), np.uint8), np.arange(20) % 2
    np.savez(home / "alone.npz", images=images, labels=labels)
    assert door(f"datasets {home / 'alone.npz'}") == 0
    lines = [" ".join(line.split()) for line in door.out.splitlines()]
    drawn = "drawn from each class: the files have no test split (--test-share)"
    assert f"rows 16 to train on, 4 to test on, {drawn}" in lines
    assert "become 3×8×9" in lines
    np.savez(home / "val.npz", x_train=images, y_train=labels, x_val=images[:4], y_val=labels[:4],
             x_test=images[:6], y_test=labels[:6])  # fmt: skip
    assert door(f"datasets {home / 'val.npz'} --json") == 0
    assert json.loads(door.out)["rows"] == {"train": 24, "test": 6}
    assert json.loads(door.out)["shape"] == [3, 8, 9]


def test_a_batch_that_is_too_large_names_the_flag(door: Any, home: Path) -> None:
    mine = folders(home / "mine", {"cat": 5, "dog": 5})
    assert door(f"train --dataset {mine} --size 8 8 --out run") == 2
    assert "do:       choose --batch 8 or less" in door.err


def test_what_comes_next_can_be_typed(door: Any, home: Path) -> None:
    mine = folders(home / "my photos ü", {"cat": 5, "dog": 5})
    flags = "--size 8 8 --fit crop --batch 4 --seed 3"
    assert door(f"train {flags} --epochs 1 --network.hidden 4 --out run --dataset", str(mine)) == 0
    line = next(line for line in door.out.splitlines() if "millrace preview" in line)
    words = shlex.split(line)[2:]
    assert words == ["--dataset", str(mine), "--seed", "3", "--size", "8", "8", "--fit", "crop"]
    assert door("preview", *words) == 0


def test_files_that_changed_since_the_training_are_called_that(door: Any, home: Path) -> None:
    mine = folders(home / "mine", {"cat": 5, "dog": 5})
    assert door(f"train --dataset {mine} --batch 4 --epochs 1 --network.hidden 4 --out run") == 0
    Image.fromarray(pixels(99)).save(mine / "cat" / "000.png")
    assert door("evaluate run") == 1
    assert "do:       put the files back as they were, or train again: they, or how they are read, changed" in door.err


def test_evaluate_prepares_pictures_as_training_did(door: Any, home: Path) -> None:
    """Size, fit, channels and background come from the checkpoint, also where the pictures lie elsewhere by now; what
    it measures is what `predict` says of each picture alone."""
    mine = folders(home / "mine" / "train", {"cat": 8, "dog": 8}, height=24, width=20).parent
    tested = folders(mine / "test", {"cat": 6, "dog": 6}, height=30, width=16)
    flags = "--size 12 8 --fit crop --channels 1 --background black"
    assert door(f"train --dataset {mine} {flags} --batch 4 --epochs 4 --network.hidden 16 --out run") == 0
    assert door("evaluate run --json") == 0
    found = json.loads(door.out)
    pictures = sorted(tested.rglob("*.png"))
    assert door("predict run --json", *map(str, pictures)) == 0
    said = [json.loads(line)["prediction"] for line in door.out.splitlines()]
    right = sum(path.parent.name == name for path, name in zip(pictures, said, strict=True))
    assert (found["count"], found["correct"]) == (len(pictures), right)
    assert door("export-model run --out network.safetensors") == 0
    mine.rename(home / "moved")
    for network in ("run", "network.safetensors"):
        assert door(f"evaluate {network} --dataset moved --json") == 0
        again = json.loads(door.out)
        assert [again[key] for key in ("test_loss", "confusion")] == [found[key] for key in ("test_loss", "confusion")]
    for other in ("--size 8 12", "--fit pad", "--channels 3"):
        assert door(f"evaluate run --dataset moved {other}") == 1
        assert "the checkpoint belongs to another dataset" in door.err
    assert door("evaluate run") == 2
    assert str(mine) in door.err
