"""`millrace audit`: a run's ledger holds against its configuration, and a false one does not."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from millrace.commands import main as command_line


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    flags = ["--epochs", "2", "--network.hidden", "8", "--subset", "300", "--batch", "64", "--out", str(folder)]
    assert command_line.main(["train", *flags]) == 0
    return folder


def test_a_run_is_what_its_configuration_says(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["audit", str(trained)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 epochs, 600 samples: missing 0, repeated 0"


@pytest.mark.parametrize(("field", "value"), [("ledger", "0" * 64), ("samples", 299)])
def test_a_false_ledger_is_found(trained: Path, capsys: pytest.CaptureFixture[str], field: str, value: object) -> None:
    path = trained / "epochs.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(first + "\n" + json.dumps({**json.loads(second), field: value}) + "\n")
    assert command_line.main(["audit", str(trained), "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["wrong"] == [1]


def test_the_driver_and_its_incarnation_are_told(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["train", "--epochs", "2", "--out", str(trained)]) == 2  # another recipe: nothing is taken
    for words in ("", ", which trains or was lost"):
        capsys.readouterr()
        assert command_line.main(["audit", str(trained)]) == 0
        assert f"incarnation 1, process {os.getpid()} on {socket.gethostname()}{words}\n" in capsys.readouterr().out
        claim = next((trained / "owners").iterdir())
        claim.write_text(json.dumps({**json.loads(claim.read_text()), "released": False}))
    assert command_line.main(["audit", trained.as_uri(), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])["driver"]
    assert (printed["incarnation"], printed["process"]["pid"]) == (1, os.getpid())
    shutil.rmtree(trained / "owners")
    assert command_line.main(["audit", str(trained)]) == 0
    assert "it was never trained" in capsys.readouterr().out


def test_failures_that_were_survived_are_told(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trained / "incidents.jsonl").write_text(json.dumps({"kind": "worker lost", "step": 3}) + "\n")
    assert command_line.main(["audit", str(trained)]) == 0
    assert "worker lost: 1" in capsys.readouterr().out


def test_other_environments_that_were_admitted_are_told(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trained / "incidents.jsonl").write_text(json.dumps({"kind": "another environment admitted", "step": 3}) + "\n")
    assert command_line.main(["audit", str(trained), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["reproducible"] is False
    (trained / "incidents.jsonl").unlink()
    assert command_line.main(["audit", str(trained), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["reproducible"] is True
