"""`python -m millrace` as a program of its own."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Program(subprocess.Popen[str]):
    """A command that runs. What it says goes to a file, so it never waits for somebody to read it."""

    def __init__(self, *arguments: str) -> None:
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        super().__init__(
            [sys.executable, "-m", "millrace", *arguments],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            text=True,
        )


def start(*arguments: str) -> Program:
    """Begin a command; its output is read by `end`."""
    return Program(*arguments)


def end(process: Program, seconds: float, number: signal.Signals | None = None) -> tuple[int, str]:
    """Exit code and output, once it ended by itself or, after so many seconds, by the signal."""
    with process, process.output as output:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            if number is None:
                process.kill()
                raise
            process.send_signal(number)
            process.wait(60)
        output.seek(0)
        return process.returncode, output.read()


def run(*arguments: str, seconds: float = 300) -> str:
    """The output of a command that must end with exit code 0."""
    code, output = end(start(*arguments), seconds)
    if code:
        raise AssertionError(f"exit code {code}:\n{output}")
    return output
