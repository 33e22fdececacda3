"""`python -m millrace` as a program of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    """Begin a command; its output is read by `end`."""
    return subprocess.Popen(
        [sys.executable, "-m", "millrace", *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: subprocess.Popen[str], seconds: float, number: signal.Signals | None = None) -> tuple[int, str]:
    """Exit code and output, once it ended by itself or, after so many seconds, by the signal."""
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            if number is None:
                process.kill()
                raise
            process.send_signal(number)
            output, _ = process.communicate(timeout=60)
        return process.returncode, output


def run(*arguments: str, seconds: float = 300) -> str:
    """The output of a command that must end with exit code 0."""
    code, output = end(start(*arguments), seconds)
    if code:
        raise AssertionError(f"exit code {code}:\n{output}")
    return output
