"""kill -9 at any moment: the same command goes on and ends in the same bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from millrace.commands import main as command_line
from millrace.datasets import Dataset
from millrace.datasets.exported import MANIFEST
from tests.pipeline.export.small import contents, planned, written

ROOT = Path(command_line.__file__).resolve().parents[2]
CHILD = """\
import sys
from tests.pipeline.export.small import planned, shapes, written
dataset = shapes()
plan = planned(dataset, format=sys.argv[1], epochs=40)
print("ready", flush=True)
written(plan, dataset, sys.argv[2], threads=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arrow", "webdataset", "imagefolder"])
def test_killed_at_any_moment(name: str, dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, format=name, epochs=40)
    begun = time.monotonic()
    written(plan, dataset, tmp_path / "unbroken", threads=2)
    whole = time.monotonic() - begun
    path, kills = tmp_path / "killed", 0
    for attempt in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, name, str(path)], cwd=ROOT, stdout=subprocess.PIPE, env=dict(os.environ)
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(whole * (attempt + 1) / 10)
            child.send_signal(signal.SIGKILL)
        kills += child.returncode == -signal.SIGKILL
        if (path / MANIFEST).exists():
            break
        assert all(file.stat().st_size for file in path.rglob("*.*") if ".millrace" not in file.parts)
    assert kills
    assert written(plan, dataset, path, threads=2) is not None
    assert contents(path) == contents(tmp_path / "unbroken")
