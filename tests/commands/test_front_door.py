"""The front door from outside: exit codes, help without weight, errors without tracebacks."""

import json
import os
import subprocess
import sys
import tomllib
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from millrace import commands
from millrace.commands import main as command_line
from millrace.settings.keys import known_keys
from millrace.version import __version__

ROOT = Path(command_line.__file__).resolve().parents[2]


def start(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """One command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "millrace", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_is_light() -> None:
    heavy = ("numpy", "numba", "ray", "pyarrow", "rich", "yaml", "millrace.settings")
    code = (
        "import sys; from millrace.commands import main as command_line; code = command_line.main(['--help']);"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    assert "usage: millrace COMMAND" in done.stdout


def test_help_fits_80_columns_and_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        assert command_line.main(arguments) == 0
        page = capsys.readouterr().out
        assert max(map(len, page.splitlines())) <= 80
        for command in command_line.COMMANDS:
            assert f"  {command.name} " in page


def test_every_row_of_the_table_has_its_file() -> None:
    folder = Path(commands.__file__).parent
    for command in command_line.COMMANDS:
        assert "\ndef run(" in (folder / f"{command.name.replace('-', '_')}.py").read_text()


def test_the_version_is_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--version"]) == 0
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "millrace.version.__version__"}
    assert capsys.readouterr().out == f"millrace {__version__}\n"


@pytest.mark.parametrize("command", [command.name for command in command_line.COMMANDS])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["help", command]) == 0
    page = capsys.readouterr().out
    assert f"usage: millrace {command}" in page
    assert "--json" in page


def test_unknown_commands_and_flags_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, near in ((["trian"], "train"), (["--versoin"], "--version"), (["help", "fecth"], "fetch")):
        assert command_line.main(arguments) == 2
        assert f"did you mean '{near}'?" in capsys.readouterr().err


def test_errors_are_json_where_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["config", "--json", "--epochs", "0"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["exit_code"] == 2
    assert json.loads(err)["expected"] == "a whole number from 1"


def raising(error: BaseException) -> Any:
    def run(arguments: list[str]) -> int:
        raise error

    return run


def test_faults_are_short_unless_the_traceback_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.commands.config.run", raising(ValueError("oh")))
    assert command_line.main(["config"]) == 1
    err = capsys.readouterr().err
    assert "unexpected ValueError: oh" in err
    assert "MILLRACE_TRACEBACK=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("MILLRACE_TRACEBACK", "1")
    assert command_line.main(["config"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interruption_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.commands.config.run", raising(KeyboardInterrupt()))
    assert command_line.main(["config"]) == 130


def test_as_a_process() -> None:
    done = start("config", "--epochs", "7", "--json", MILLRACE_BATCH="9")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["key"]: line["source"] for line in lines if line["source"] != "default"} | {} == {
        "epochs": "--epochs",
        "batch": "MILLRACE_BATCH",
        **{key: "the dataset's own" for key in known_keys() if key.startswith("policy.")},
    }
    done = start("config", "--epoch", "7")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: unknown flag --epoch")


@pytest.mark.slow
def test_a_narrow_encoding_is_no_fault() -> None:
    done = start("fetch", "digits", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1?8?8" in done.stdout


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m millrace datasets --json | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")  # `true` may read nothing before it leaves, or leave late


def test_commands_of_a_group_stand_together() -> None:
    """The page names each group once, above its first command."""
    groups = [group for group, _ in groupby(row.group for row in command_line.COMMANDS)]
    assert len(groups) == len(set(groups))
