"""The networks that are shipped: what their cards say of them is what they do."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "pretrained"
CARDS = (FOLDER / "README.md").read_text(encoding="utf-8")
MIRROR = os.environ.get("MILLRACE_TEST_MIRROR", "")
LARGEST = 10_000_000  # bytes


def evaluated(door: Any, name: str, *more: str) -> tuple[int, int]:
    """The right answers of a shipped network, and of how many."""
    assert door("evaluate --json", str(FOLDER / f"{name}.safetensors"), *more) == 0, door.err
    found = json.loads(door.out.splitlines()[-1])
    return found["correct"], found["count"]


def card(name: str) -> str:
    """What the cards say of one network."""
    return CARDS.split(f"## {name}.safetensors")[1].split("\n## ")[0]


def test_every_network_has_a_card_a_recipe_and_a_size_to_ship() -> None:
    names = {path.stem for path in FOLDER.glob("*.safetensors")}
    assert names
    assert {line[3:].removesuffix(".safetensors") for line in CARDS.splitlines() if line.startswith("## ")} == names
    for name in names:
        assert (FOLDER / f"{name}.safetensors").stat().st_size <= LARGEST
        assert all(f"\n| {row} |" in card(name) for row in ("network", "data", "recipe", "test", "limits"))


def test_the_digits_are_read_offline_as_the_card_says(door: Any) -> None:
    assert evaluated(door, "digits", "--offline") == (360, 360)
    assert "360 of 360 right" in card("digits")


@pytest.mark.parametrize(("name", "right"), [("mnist", 9956), ("cifar10", 6989)])
@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not MIRROR, reason="MILLRACE_TEST_MIRROR does not say where the real data lies")
def test_real_images_are_read_as_the_card_says(name: str, right: int, door: Any) -> None:
    assert evaluated(door, name, "--mirror", MIRROR) == (right, 10000)
    assert f"{right} of 10000 right" in card(name)


@pytest.mark.parametrize(("name", "read"), [("digits", "02345"), ("mnist", "023457")])
def test_our_own_drawings_are_read(name: str, read: str, door: Any) -> None:
    drawings = sorted((ROOT / "examples").glob("*.png"))
    assert door("predict --json", str(FOLDER / f"{name}.safetensors"), *map(str, drawings)) == 0
    said = [json.loads(line) for line in door.out.splitlines()]
    right = [Path(one["image"]).stem for one in said if one["prediction"] == Path(one["image"]).stem]
    assert right == list(read)
