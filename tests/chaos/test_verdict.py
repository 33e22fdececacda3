"""A play that could not fail would prove nothing: a run that is not its twin is found out."""

import json
import shutil
from pathlib import Path

import pytest

from tests.chaos.findings import Finding
from tests.chaos.verdict import compare
from tests.workers.runs import train


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    train(tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "twin")
    compare(tmp_path / "run", tmp_path / "twin")
    return tmp_path / "run", tmp_path / "twin"


@pytest.mark.parametrize("name", ["weights", "optimizer"])
def test_a_byte(runs: tuple[Path, Path], name: str) -> None:
    path = max(runs[0].glob("checkpoints/*")) / f"{name}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(Finding, match=name):
        compare(*runs)


@pytest.mark.parametrize("change", ["less", "twice", "loss"])
def test_a_line(runs: tuple[Path, Path], change: str) -> None:
    path = runs[0] / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    other = json.dumps({**json.loads(lines[1]), "loss": 0.5}) + "\n"
    path.write_text(
        "".join({"less": lines[:-1], "twice": [*lines[:2], *lines[1:]], "loss": [lines[0], other, *lines[2:]]}[change])
    )
    with pytest.raises(Finding, match=r"metrics\.jsonl"):
        compare(*runs)
