"""`millrace profile`, from outside."""

import json
from pathlib import Path
from typing import Any

import millrace

TRAIN = "train --subset 200 --network.hidden 16 --epochs 2 --batch 32 --workers 2 --out run"


def test_a_run_says_where_its_time_went(door: Any) -> None:
    assert door(TRAIN) == 0
    assert door("profile run") == 0
    assert "forward and backward" in door.out
    assert "of the time" in door.out
    assert Path("run/profile.html").read_text().count("<h2>By role</h2>") == 1
    assert door("profile run --json") == 0
    found = json.loads(door.out)
    assert abs(sum(found["shares"]["worker"].values()) - 1) < 1e-6
    profile = millrace.open_run("run").profile()
    assert profile.seconds_per_step == found["seconds_per_step"]
    assert profile.shares == found["shares"]
    # A run of an older release has measured nothing.
    Path("run/stages.jsonl").unlink()
    assert door("profile run") == 2
    assert "does not say where its time went" in door.err
    assert "a release that did not measure it" in door.err
