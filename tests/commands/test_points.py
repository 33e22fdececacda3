"""Training on points in the plane, from outside."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.slow
def test_the_network_of_the_slides_learns_clusters_and_draws_its_regions(
    door: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = "--network.preset points --network.activation tanh --epochs 20 --optimizer.rate 0.02"
    assert door(f"train --dataset points-clusters {flags} --out run") == 0
    assert float(door.out.splitlines()[-1].split()[2]) > 97
    assert "22 parameters" in door.out
    assert size(Path("run/regions.png")) == (700, 700)
    assert door("evaluate run") == 0
    assert door("preview --dataset points-circles-3 --out circles.png") == 0
    assert size(Path("circles.png")) == (700, 700)
