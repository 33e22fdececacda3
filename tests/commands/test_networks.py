"""predict, export-model, and evaluate of files and of several networks, from outside."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from millrace.library.networks import find_network

TRAIN = "train --subset 400 --network.hidden 32 --epochs 20 --batch 32"


@pytest.fixture
def runs(door: Any, home: Path) -> None:
    assert door(f"{TRAIN} --out one --regularization.average 0.9") == 0
    assert door(f"{TRAIN} --seed 1 --out two") == 0


def accuracy(door: Any, words: str) -> float:
    assert door(f"evaluate {words}") == 0
    return float(door.out.splitlines()[-1].split()[2])


def test_files_stand_for_their_runs(door: Any, runs: None) -> None:
    assert door("export-model one") == 0
    assert "millrace predict network.safetensors IMAGE" in door.out
    assert door("export-model network.safetensors --precision float16 --out half.safetensors --json") == 0
    assert json.loads(door.out)["bytes"] < 8000
    assert accuracy(door, "one") == accuracy(door, "network.safetensors")
    assert accuracy(door, "half.safetensors") == pytest.approx(accuracy(door, "one"), abs=1)
    assert door("export-model one --format npz") == 0
    assert Path("network.npz").is_file()


@pytest.mark.slow
def test_networks_and_views_together(door: Any, runs: None) -> None:
    together = accuracy(door, "one two")
    assert "of 2 networks" in door.out
    assert together > 60
    assert accuracy(door, "one two --tta 2") > 60
    assert "2 augmented views" in door.out
    assert accuracy(door, "two --tta 3") == accuracy(door, "two --tta 3")
    assert door("evaluate one --tta 256") == 2
    assert door(f"{TRAIN} --policy none --out plain") == 0
    assert door("evaluate plain --tta 2") == 2
    assert "without augmentation" in door.err
    assert door("train --dataset points --epochs 1 --network.hidden 4 --out p") == 0
    assert door("evaluate one p") == 1
    assert "another dataset" in door.err


def test_pictures_are_named(door: Any, runs: None) -> None:
    picture = Image.new("L", (60, 90), 255)
    ImageDraw.Draw(picture).line((30, 10, 30, 80), fill=0, width=9)
    picture.save("stroke.png")
    assert door("predict one stroke.png --json") == 0
    found = json.loads(door.out)
    assert found["image"] == "stroke.png"
    chances = [one["probability"] for one in found["top"]]
    assert len(chances) == 3
    assert chances == sorted(chances, reverse=True)
    assert found["prediction"] == found["top"][0]["class"]
    assert door("predict two stroke.png stroke.png") == 0
    assert door.out.count("stroke.png") == 2
    Path("no.png").write_text("hello")
    assert door("predict one no.png") == 1
    assert "no picture" in door.err
    assert door("predict one") == 2
    assert door("predict no.png stroke.png") == 1


OWN = """\
name: strokes
format: npz
classes: ["0", "1"]
prepare: digits
files: [{name: strokes.npz}]
"""


def test_a_network_knows_its_inputs_without_its_dataset(door: Any, home: Path) -> None:
    """Digits are prepared as digits by a network trained on an export, or on a file that is gone by now."""
    pixels = (np.arange(40 * 64, dtype=np.uint64) * 2654435761 % 251).astype(np.uint8).reshape(40, 8, 8)
    labels = np.arange(40, dtype=np.uint8) % 2
    np.savez("strokes.npz", train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)
    Path("strokes.yaml").write_text(OWN)
    assert door("export strokes.yaml --out shards") == 0
    for source, run in (("strokes.yaml", "a"), ("shards", "b")):
        assert door(f"train --dataset {source} --epochs 1 --batch 8 --network.hidden 4 --out {run}") == 0
    Path("strokes.yaml").unlink()
    Path("shards").rename("moved")
    picture = Image.new("L", (60, 90), 255)
    ImageDraw.Draw(picture).line((10, 10, 20, 80), fill=0, width=9)
    picture.save("stroke.png")
    for run in ("a", "b"):
        found = find_network(run).portable
        assert (found.about["prepare"], found.shape, found.classes) == ("digits", (1, 8, 8), ("0", "1"))
        assert found.about["dataset"] == "strokes"
        assert door(f"predict {run} stroke.png") == 0


def test_what_cannot_be_exported(door: Any, runs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert door("export-model one --format onyx") == 2
    assert "did you mean 'onnx'" in door.err
    assert door("export-model one --out nowhere/x.safetensors") == 2
    monkeypatch.setitem(__import__("sys").modules, "onnx.helper", None)
    assert door("export-model one --format onnx") == 2
    assert "millrace[onnx]" in door.err
    assert not Path("network.onnx").exists()
