"""`millrace config`: what a run would be, and who set what."""

from pathlib import Path

import pytest

from millrace.commands import main as command_line
from millrace.workers.job import Job, Place


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    """The lines of the page by their key, with their group."""
    assert command_line.main(["config", *arguments]) == 0
    found, group = {}, ""
    for line in capsys.readouterr().out.splitlines():
        key, _, value = line.partition(":")
        group = "" if not line.startswith(" ") else group
        found[f"{group}{key.strip()}"] = value.strip()
        group = f"{key}." if not value else group
    return found


def test_what_a_file_or_a_variable_turns_on_a_flag_turns_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("network: {hidden: [8, 8], skip: true}\nno_test: true\n")
    monkeypatch.setenv("MILLRACE_OFFLINE", "1")
    found = shown(capsys, str(file))
    assert (found["network.skip"], found["offline"], found["test"]) == ("true", "true", "false")
    found = shown(capsys, str(file), "--no-network.skip", "--no-offline", "--test")
    assert (found["network.skip"], found["offline"], found["test"]) == ("false", "false", "true")


def test_the_page_is_a_file_that_makes_it_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["config", "--epochs", "3", "--policy.rotate", "5", "--network.hidden", "9", "8"]) == 0
    page = capsys.readouterr().out
    (tmp_path / "again.yaml").write_text(page)
    assert command_line.main(["config", str(tmp_path / "again.yaml")]) == 0
    assert capsys.readouterr().out == page
    assert set(shown(capsys)) >= {*Job().recipe, *Place.__dataclass_fields__}


def test_sources_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("seed: 4\npolicy: photos\n")
    monkeypatch.setenv("MILLRACE_NO_TEST", "1")
    found = shown(capsys, str(file), "--sources", "--batch", "7", "--no-offline")
    assert found["seed"].split() == ["4", "#", f"{file}:1"]
    assert found["batch"].split() == ["7", "#", "--batch"]
    assert found["test"].split() == ["false", "#", "MILLRACE_NO_TEST"]
    assert found["offline"].split() == ["false", "#", "--no-offline"]
    assert found["epochs"].split() == ["30", "#", "default"]
    assert found["policy.flip"].endswith(f"# preset of {file}:2")
