"""datasets, fetch and preview: on the digits, on a file of one's own, and on MNIST where it is at hand."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

OWN = """\
name: shapes
format: npz
classes: [circle, square]
policy: digits
files: [{name: shapes.npz}]
"""


@pytest.fixture
def own(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of one's own, and a cache for it."""
    monkeypatch.setenv("MILLRACE_CACHE", str(home / "cache"))
    pixels = np.arange(20 * 3 * 6 * 6, dtype=np.uint64).reshape(20, 3, 6, 6)
    images = (pixels * 41 % 256).astype(np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 2
    np.savez(
        home / "shapes.npz", train_images=images, train_labels=labels, test_images=images[:4], test_labels=labels[:4]
    )
    (home / "shapes.yaml").write_text(OWN)
    return home / "shapes.yaml"


def test_datasets_lists_all_and_fits_80_columns(door: Any) -> None:
    assert door("datasets") == 0
    for name in ("digits", "mnist", "fashion-mnist", "cifar10"):
        assert name in door.out
    assert max(len(line.rstrip()) for line in door.out.splitlines()) <= 80


def test_datasets_tells_all_of_one(door: Any, own: Path) -> None:
    assert door("datasets cifar10") == 0
    assert "airplane, automobile" in door.out
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in door.out
    assert door("datasets shapes.yaml --json") == 0
    assert json.loads(door.out)["classes"] == ["circle", "square"]


def test_fetch_keeps_and_says_so(door: Any, own: Path) -> None:
    assert door("fetch shapes.yaml") == 0
    assert "20 + 4 images, 3×6×6, 2 classes, fetched in" in door.out
    assert door("fetch shapes.yaml --json") == 0
    found = json.loads(door.out)
    assert found["cached"]
    assert Path(found["folder"]).is_dir()
    assert door("fetch digits") == 0
    assert "built in" in door.out


def test_an_export_is_where_it_is_and_as_large_as_it_is(door: Any, own: Path, home: Path) -> None:
    assert door("export shapes.yaml --epochs 2 --out shards --policy none") == 0
    pixels = (2 * 20 + 4) * (3 * 6 * 6 + 1)
    assert door("datasets shards --json") == 0
    assert json.loads(door.out)["bytes"] == pixels
    assert door("datasets shards") == 0
    assert f"an export, {home / 'shards'}" in door.out or "an export, shards" in door.out
    assert door("fetch shards --json") == 0
    assert json.loads(door.out)["folder"] == str(home / "shards")
    assert door("fetch shards") == 0
    assert "nothing to fetch" in door.out


def test_a_size_that_nobody_stated_is_not_made_up(door: Any, own: Path) -> None:
    assert door("datasets shapes.yaml --json") == 0
    assert json.loads(door.out)["bytes"] is None
    assert door("datasets shapes.yaml") == 0
    assert "not stated" in door.out


def test_fetch_goes_on_after_one_that_fails(door: Any, own: Path) -> None:
    assert door("fetch mnist digits --offline") == 1
    assert "digits" in door.out
    assert "mnist did not come" in door.err
    assert "all but mnist" in door.err
    assert door("fetch mnist --offline") == 1
    assert "expected" not in door.out


def test_fetch_needs_known_names(door: Any) -> None:
    assert door("fetch digits mnits") == 2
    assert door.out == ""


def test_preview_of_ones_own_dataset(door: Any, own: Path, home: Path) -> None:
    assert door("preview --dataset shapes.yaml --rows 4 --columns 3 --out sheet.png --json") == 0
    found = json.loads(door.out)
    with Image.open(home / "sheet.png") as picture:
        assert picture.size == (found["width"], found["height"])
    assert (found["samples"], found["columns"]) == (4, 3)


def test_preview_is_the_same_twice_and_follows_the_seed(door: Any, home: Path) -> None:
    sheets = []
    for seed in (0, 0, 1):
        assert door(f"preview --rows 2 --columns 2 --seed {seed}") == 0
        sheets.append((home / "preview.png").read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]


@pytest.mark.parametrize(
    "flags", ["--rows 0", "--columns 101", "--out sheet.jpg", "--out absent/a.png", "--policy photo", "absent.yaml"]
)
def test_preview_refuses_before_it_works(door: Any, home: Path, flags: str) -> None:
    assert door(f"preview {flags}") == 2
    assert list(home.glob("**/*.png")) == []


@pytest.mark.data
def test_mnist_from_the_mirror(door: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = os.environ.get("MILLRACE_TEST_MIRROR")
    if not mirror:
        pytest.skip("MILLRACE_TEST_MIRROR names no mirror")
    monkeypatch.setenv("MILLRACE_CACHE", str(home / "cache"))
    assert door("fetch mnist --mirror", mirror) == 0
    assert "60,000 + 10,000 images, 1×28×28, 10 classes, fetched" in door.out
    assert door("preview --dataset mnist --offline") == 0
    assert door("train --dataset mnist --offline --epochs 5 --subset 2000 --network.hidden 64 --out a") == 0
    assert float(door.out.split()[-2]) > 70
