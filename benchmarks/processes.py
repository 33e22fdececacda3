"""Processes and all that they start: what they use, and their end (Linux)."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def below(process: int) -> list[int]:
    """The processes that descend from this one, in order of their numbers."""
    parents = {}
    for entry in (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        if fields := _stat(int(entry)):
            parents[int(entry)] = int(fields[1])
    found, seen = [], {process}
    for child in sorted(set(parents) - {process}):
        line = [child]
        while line[-1] in parents and line[-1] not in seen:
            line.append(parents[line[-1]])
        if line[-1] in seen:
            seen.update(line)
            found.append(child)
    return found


def cpu_seconds(process: int) -> float:
    """Seconds of processors that a process and those below it have used, with those that were waited for."""
    used = 0.0
    for one in (process, *below(process)):
        if fields := _stat(one):
            used += sum(map(int, fields[11:15])) / TICKS
    return used


def memory(process: int) -> float:
    """MB that a process and those below it hold; a page that several share is counted once (PSS)."""
    return sum(_kibibytes(f"/proc/{one}/smaps_rollup", "Pss") for one in (process, *below(process))) * 1024 / 1e6


def held(kind: str, process: str = "self") -> int:
    """Bytes of memory of one kind, as /proc/PID/status names it (VmRSS, VmHWM, RssAnon …); 0 where the process is gone.
    Of the most that a process had, VmHWM is its own, while getrusage's also counts what the one that started it had."""
    return _kibibytes(f"/proc/{process}/status", kind) * 1024


def end(process: "subprocess.Popen[Any]") -> None:
    """End a process that we started, where it still runs, and all below it; they get no time."""
    for one in (*below(process.pid), process.pid) if process.poll() is None else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    process.wait(60)


def answer(
    command: Sequence[str],
    seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The last line that a Python command writes, as JSON; raises what it wrote last where it fails or takes too long.

    A line {"missing": NAME} raises ImportError. folder, environment: where it runs and its variables, by default ours.
    """
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise OSError(f"no answer within {seconds:g} s") from None
    finally:
        end(process)
    if process.returncode:
        told = [line for line in errors.splitlines() if line.strip()]
        raise OSError(told[-1] if told else f"ended with {process.returncode}")
    return _found(out)


def ask(process: "subprocess.Popen[str]", seconds: float, question: str = "") -> dict[str, Any]:
    """The line of JSON that a process writes for a line of ours, within so many seconds."""
    if process.stdin is None or process.stdout is None:
        raise OSError("the process has no pipes")
    try:
        process.stdin.write(question + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # what it wrote last says why
    if not select.select([process.stdout], [], [], seconds)[0]:
        raise OSError(f"no answer within {seconds:g} s")
    return _found(process.stdout.readline())


class Asked:
    """Another library, in a Python process of its own that works when it is asked to.

    command: what comes after `python`. seconds: what an answer may take. folder, environment: where it runs and its
    variables, by default ours.
    """

    def __init__(
        self,
        command: Sequence[str],
        seconds: float,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._seconds = seconds
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self) -> float:
        """What it did per second."""
        return float(ask(self._process, self._seconds)["rate"])

    def close(self) -> None:
        """End it, and let go of its pipes."""
        end(self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


def _found(text: str) -> dict[str, Any]:
    if not text.strip():
        raise OSError("no answer")
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    if "missing" in found:
        raise ImportError(found["missing"])
    return found


def read(path: str) -> str:
    """A file of /proc; nothing where the process is gone."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _kibibytes(path: str, kind: str) -> int:
    lines = (line.split() for line in read(path).splitlines() if line.startswith(f"{kind}:"))
    return sum(int(words[1]) for words in lines)


def _stat(process: int) -> list[str]:
    """The fields of a process's line that follow its name: state, parent …"""
    line = read(f"/proc/{process}/stat")
    return line.rsplit(")", 1)[1].split() if line else []
