"""`make test-all` gives what measures times a turn of its own; pytest's place is taken by a script that writes down how
it was called."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INSTALLED = (".venv/.test", "readers", "peers", ".venv-docs/.installed")  # as good as done
NOTHING_FOUND = 5
SCRIPT = """#!/bin/sh
echo "$*" >>'{folder}/calls'
case "$*" in *"-m alone"*) echo 'closing line: alone'; exit {alone} ;; esac
echo 'closing line: beside'; exit {beside}
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize(
    ("alone", "beside", "holds"),
    [
        (0, 0, True),
        (NOTHING_FOUND, 0, True),
        (0, NOTHING_FOUND, True),
        (NOTHING_FOUND, NOTHING_FOUND, False),
        (1, 0, False),
        (1, NOTHING_FOUND, False),
        (0, 1, False),
        (NOTHING_FOUND, 1, False),
    ],
)
def test_two_turns_of_which_neither_may_fail(tmp_path: Path, alone: int, beside: int, holds: bool) -> None:
    script = tmp_path / "pytest"
    script.write_text(SCRIPT.format(folder=tmp_path, alone=alone, beside=beside))
    command = ["make", "--no-print-directory", *(f"--old-file={name}" for name in INSTALLED)]
    command += ["test-all", f"PYTEST=sh {script}", "ARGS=-k 'one or two'"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode == 0) == holds, done.stderr
    first, second = (tmp_path / "calls").read_text().splitlines()
    assert first == "-m alone -k one or two"
    assert "-n auto" in second
    assert second.endswith("and not (alone) --durations 20 -k one or two")
    assert done.stdout.splitlines()[-1] == "closing line: beside"  # which the CI's summary shows
