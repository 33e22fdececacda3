"""`make bench-quick`: every part runs with small sizes, whatever its figures; peers that are not here are named."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.run import PARTS

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_every_part_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = results.read(tmp_path / "results.json")
    assert list(found) == list(PARTS)
    for (part,) in found.values():
        assert part.rows
        assert all(value >= 0 for row in part.rows for values in row.values.values() for value in values)
    values = {row.name: list(row.values["millrace"]) for row in found["resume"][0].rows}
    assert values["repeated"] == values["lost"] == [0.0]
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "results.md", "results.svg"}
    for add, runs in (["--add"], 2), ([], 1):  # beside what is there, or in its place
        done = subprocess.run(
            [*command, "--only", "growth", *add], cwd=ROOT, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        again = results.read(tmp_path / "results.json")
        assert {name: len(parts) for name, parts in again.items()} == {**dict.fromkeys(PARTS, 1), "growth": runs}
        assert (", 2 runs, " in (tmp_path / "results.md").read_text()) == (runs == 2)


def test_an_unknown_part_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--only", "warp,wrap"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "unknown wrap; expected some of: warp, stream" in done.stderr
