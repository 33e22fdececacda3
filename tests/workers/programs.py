"""`python -m millrace` as a program of its own."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Program(subprocess.Popen[str]):
    """A command that runs. What it says goes to a file, so it never waits for somebody to read it."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._said = ""
        super().__init__(
            [sys.executable, "-m", "millrace", *arguments],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def said(self) -> str:
        """What it has written until now."""
        return self._said if self.output.closed else os.pread(self.output.fileno(), 1 << 24, 0).decode()

    def close(self) -> None:
        """Of its file: what it said is kept."""
        self._said = self.said
        self.output.close()


def start(*arguments: str, environment: Mapping[str, str] | None = None) -> Program:
    """Begin a command, with more or other variables in its environment; its output is read by `end`."""
    return Program(*arguments, environment=environment)


def end(process: Program, seconds: float, number: signal.Signals | None = None) -> tuple[int, str]:
    """Exit code and output, once it ended by itself or, after so many seconds, by the signal. Without a signal it is
    killed after them, and TimeoutExpired is raised; a second `end` has its output."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        if number is None:
            process.kill()
            process.wait(60)
            raise
        process.send_signal(number)
        process.wait(60)
    process.close()
    return process.returncode, process.said


def run(*arguments: str, seconds: float = 300, environment: Mapping[str, str] | None = None) -> str:
    """The output of a command that must end with exit code 0."""
    code, output = end(start(*arguments, environment=environment), seconds)
    if code:
        raise AssertionError(f"exit code {code}:\n{output}")
    return output
