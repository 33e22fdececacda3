"""Every command follows the environment alike: where data comes from, and whether the network may be asked."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPEC = """\
name: squares
format: npz
classes: [dark, light]
mirrors: ["http://127.0.0.1:9/none"]
files: [{name: squares.npz, sha256: SHA256}]
"""


@pytest.fixture
def run(door: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of a dataset that lies in a folder; that folder has moved since, and nothing is in the cache."""
    monkeypatch.setenv("MILLRACE_CACHE", str(home / "cache"))
    (home / "here").mkdir()
    labels = np.arange(40, dtype=np.uint8) % 2
    images = np.repeat(labels[:, None, None] * 200, 16, axis=1).reshape(40, 4, 4).astype(np.uint8)
    np.savez(
        home / "here" / "squares.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels
    )
    digest = hashlib.sha256((home / "here" / "squares.npz").read_bytes()).hexdigest()
    (home / "squares.yaml").write_text(SPEC.replace("SHA256", digest))
    flags = f"--network.hidden 4 --epochs 1 --batch 8 --policy none --mirror {(home / 'here').as_uri()} --out run"
    assert door(f"train --dataset squares.yaml {flags}") == 0, door.err
    (home / "here").rename(home / "there")
    monkeypatch.setenv("MILLRACE_CACHE", str(home / "empty"))
    return home / "run"


@pytest.mark.parametrize("command", ["audit", "report", "evaluate", "resume"])
def test_data_comes_from_where_the_environment_says(
    door: Any, home: Path, run: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    if command == "resume":
        (run / "result.json").unlink()
    assert door(f"{command} run") == 1
    monkeypatch.setenv("MILLRACE_OFFLINE", "1")
    assert door(f"{command} run") == 1
    assert "offline" in door.err
    monkeypatch.delenv("MILLRACE_OFFLINE")
    monkeypatch.setenv("MILLRACE_MIRROR", (home / "there").as_uri())
    assert door(f"{command} run") == 0, door.err
