"""`millrace replay`, and what a stale run says of itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from millrace.runs import RunFolder

SMALL = "train --epochs 2 --network.hidden 8 --subset 300 --batch 16 --workers 4"


def test_a_stale_run_is_computed_again(door: Any, home: Path) -> None:
    assert door(f"{SMALL} --staleness 2 --out a") == 0
    assert "<h2>Staleness</h2>" in (home / "a" / "report.html").read_text()
    assert "--staleness 2" in (home / "a" / "report.html").read_text()
    assert door("audit a") == 0
    assert door.out.splitlines()[-1] == "2 epochs, 600 samples: missing 0, repeated 0"
    assert "staleness 0: " in door.out
    assert door("replay a") == 0
    assert door.out.splitlines()[-1] == "38 steps again: the same bytes"
    assert door("replay a --json --workers 1") == 0
    found = json.loads(door.out.splitlines()[-1])
    assert (found["event"], found["same"], found["step"], found["replayed"]) == ("replayed", True, 38, 38)
    assert sum(found["staleness"].values()) == 38
    assert door(f"replay {(home / 'a').as_uri()}") == 0
    metrics = home / "a" / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('"rate": ', '"rate": 1'))
    assert door("replay a") == 1
    assert "was not computed again to the same bytes" in door.err
    assert "metrics.jsonl, line 1: rate 10.001, replayed 0.001" in door.err


def test_any_run_can_be_replayed(door: Any, home: Path) -> None:
    assert door(f"{SMALL} --staleness unbounded --validation 50 --no-test --out runs/b") == 0
    assert door("replay runs/b") == 0
    assert door(f"{SMALL} --out c") == 0
    assert door("replay c") == 0
    assert door.out.splitlines()[-1] == "38 steps again: the same bytes"
    assert not (home / "c" / "journal.bin").exists()
    assert "Staleness" not in (home / "c" / "report.html").read_text()
    assert "staleness" not in (home / "c" / "metrics.jsonl").read_text()
    kept = RunFolder.open(home / "c").latest()
    assert kept is not None
    assert "staleness" not in kept.config


def test_what_cannot_be_replayed(door: Any, home: Path) -> None:
    assert door("replay nowhere") == 2
    assert door(f"{SMALL} --staleness -1 --out a") == 2
    assert "staleness is out of range" in door.err
    assert door(f"{SMALL} --staleness ever --out a") == 2
    assert "unbounded" in door.err
    assert not (home / "a").exists()
    rng = np.arange(90 * 64, dtype=np.int64).reshape(90, 8, 8) % 251
    np.savez("own.npz", images=rng.astype(np.uint8), labels=np.arange(90) % 3)
    assert door("train --dataset own.npz --epochs 1 --network.hidden 4 --batch 8 --staleness 1 --out own") == 0
    assert door("replay own") == 0
    assert door("replay own --staleness 2") == 2
    (home / "own" / "journal.bin").rename(home / "journal.bin")
    for command in ("replay", "audit"):
        assert door(f"{command} own") == 1
        assert "there is no journal" in door.err
    (home / "journal.bin").rename(home / "own" / "journal.bin")
    Path("own.npz").unlink()
    assert door("replay own") != 0
    assert "own.npz" in door.err
    (home / "empty").mkdir()
    (home / "empty" / "config.yaml").write_text("epochs: 1\n")
    assert door("replay empty") == 1
    assert "no checkpoint yet" in door.err
