"""A data folder of its own for every test: no run is read from or written to the user's."""

from pathlib import Path

import pytest

from millrace.commands import main as command_line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test; runs go into a data folder in it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Door:
    """The front door, called in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.out = self.err = ""

    def __call__(self, words: str, *more: str) -> int:
        """Run one command line; what it wrote is in `out` and `err`."""
        self._capture.readouterr()
        code = command_line.main([*words.split(), *more])
        self.out, self.err = self._capture.readouterr()
        return code


@pytest.fixture
def door(home: Path, capsys: pytest.CaptureFixture[str]) -> Door:
    return Door(capsys)
