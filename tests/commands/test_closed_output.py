"""Commands whose output nobody reads any more: `| head`, `| true`, a stream that was closed before."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.commands import main as command_line
from millrace.library.run import open_run

ROOT = Path(command_line.__file__).resolve().parents[2]
LONG = "train --network.hidden 16 --epochs 400 --batch 16 --out"
BROKEN_PIPE = 141


def piped(words: str, reader: str) -> tuple[int, str]:
    """Exit code and stderr of `millrace WORDS`, in a shell's pipe."""
    line = f'set -o pipefail; "{sys.executable}" -m millrace {words} | {reader}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("flags", "lines"), [("", 8), ("--json", 2)])
def test_a_run_whose_reader_leaves_stops_with_a_checkpoint(home: Path, flags: str, lines: int) -> None:
    code, errors = piped(f"{LONG} {home / 'a'} {flags}", f"head -{lines}")
    assert code == BROKEN_PIPE
    assert "Traceback" not in errors
    assert "millrace resume" in errors
    run = open_run(home / "a")
    assert not run.finished
    (incident,) = run.incidents
    assert incident["kind"] == "output closed"
    assert incident["step"] == run.checkpoints[-1] > 0
    assert len(run.metrics) == run.checkpoints[-1]
    assert json.loads((home / "a" / "incidents.jsonl").read_text())["cause"]


@pytest.mark.parametrize(
    "words",
    [
        "datasets",
        *(
            pytest.param(words, marks=pytest.mark.slow)
            for words in ("datasets --json", "--help", "help train", "config", "leaderboard absent")
        ),
    ],
)
def test_other_commands_end_without_a_complaint(home: Path, words: str) -> None:
    code, errors = piped(words, "true")
    assert code in ({2} if "absent" in words else {0, BROKEN_PIPE})
    assert "Traceback" not in errors
    assert "Broken" not in errors


@pytest.mark.slow
def test_a_disk_that_is_full_does_not_end_a_run(home: Path) -> None:
    short = LONG.replace("--epochs 400 --batch 16", "--epochs 1 --batch 64")
    code, errors = piped(f"{short} {home / 'a'} > /dev/full", "true")
    assert (code, "Traceback" in errors) == (0, False)
    assert open_run(home / "a").finished


def test_a_program_may_be_started_without_streams(home: Path) -> None:
    assert piped("datasets >&- 2>&-", "true")[0] == 0
