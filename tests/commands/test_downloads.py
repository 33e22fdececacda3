"""What people see while a dataset is fetched."""

import io
import re

import pytest
from rich.console import Console

from millrace.commands import downloads
from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen


def feed(screen: Screen) -> None:
    with Downloads(screen) as progress:
        for done in (0, 1000, 2000, 2000):
            progress("a.gz", done, 2000)
        progress("b.gz", 5, None)


def test_plain_lines_go_to_stderr_once_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    feed(Screen())
    assert capsys.readouterr() == ("", "a.gz: 2.0 kB\n")


def test_a_slow_file_is_not_silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "QUIET", 0.0)
    feed(Screen())
    assert re.search(r"a.gz: 1.0 kB of 2.0 kB, 0.\d s left\n", capsys.readouterr().err)


def test_json_mode_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    feed(Screen(as_json=True))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_within_80_columns() -> None:
    screen = Screen()
    file = io.StringIO()
    screen.errors = Console(file=file, force_terminal=True, width=80, color_system=None)
    feed(screen)
    assert "a.gz" in file.getvalue()
    assert "2.0/2.0 kB" in file.getvalue()
