"""`millrace datasets PATH`: what is understood of files of one's own, before anything is decoded."""

import json
from pathlib import Path
from typing import Any

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


def test_fetch_decodes_and_keeps(door: Any, home: Path) -> None:
    mine = folders(home / "mine", {"cat": 5, "dog": 5})
    assert door(f"fetch {mine} --size 8 8") == 0
    assert "8 + 2 images, 3×8×8, 2 classes" in door.out
    assert door(f"fetch {mine} --size 8 8") == 0
    assert "in the cache already" in door.out


def test_a_folder_that_is_nothing_says_what_is_taken(door: Any, home: Path) -> None:
    (home / "nothing").mkdir()
    assert door(f"datasets {home / 'nothing'}") == 1
    assert "a folder with a folder of pictures for each class" in door.err
