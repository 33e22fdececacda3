"""What people see while a dataset is fetched."""

import io
import re
from types import SimpleNamespace

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


def test_bytes_of_an_earlier_try_are_no_speed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((100.0, 110.0, 120.0, 200.0, 210.0))
    monkeypatch.setattr(downloads, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    progress = Downloads(Screen())
    progress("a.gz", 900_000, 1_000_000)
    progress("a.gz", 910_000, 1_000_000)  # 1 kB a second, 90 kB are missing
    progress("a.gz", 960_000, 1_000_000)  # 3 kB a second, 40 kB are missing
    progress("a.gz", 0, 1_000_000)  # another address, from the start
    progress("a.gz", 100_000, 1_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "a.gz: 910.0 kB of 1.0 MB, 1 min 30 s left",
        "a.gz: 960.0 kB of 1.0 MB, 13.3 s left",
        "a.gz: 100.0 kB of 1.0 MB, 1 min 30 s left",
    ]


def test_the_bar_begins_anew_where_the_download_does() -> None:
    screen = Screen()
    screen.errors = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with Downloads(screen) as progress:
        for done in (900_000, 910_000, 920_000):
            progress("a.gz", done, 1_000_000)
        assert progress._bar is not None
        (task,) = progress._bar.tasks
        speeds = [task.speed]
        progress("a.gz", 0, 1_000_000)  # another address, from the start
        speeds.append(task.speed)
        assert task.completed == 0
        assert [speed is None for speed in speeds] == [False, True]


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
