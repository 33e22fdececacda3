"""A program that is ended without a word has a process that speaks for it; one that ends as it should has none."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import os, signal, sys
from millrace.workers.ray_runtime.last_words import last_words
with last_words("the node was lost\\n"):
    {deed}
print("done", flush=True)
"""


def said(deed: str) -> tuple[int, str, str]:
    command = [sys.executable, "-c", PROGRAM.format(deed=deed)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(("deed", "code"), [("os._exit(1)", 1), ("os.kill(os.getpid(), signal.SIGKILL)", -9)])
def test_an_end_without_a_word(deed: str, code: int) -> None:
    assert said(deed) == (code, "", "the node was lost\n")


def test_an_end_as_it_should_be() -> None:
    assert said("pass") == (0, "done\n", "")


def test_an_error_of_python_speaks_for_itself() -> None:
    code, out, err = said("raise SystemExit('as told')")
    assert (code, out, err) == (1, "", "as told\n")


def test_others_end_with_it() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        command = [sys.executable, "-c", PROGRAM.format(deed="os._exit(1)").replace('\\n")', f'\\n", [{other.pid}])')]
        subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60)
        assert other.wait(30) == -9
