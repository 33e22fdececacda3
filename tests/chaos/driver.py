"""`millrace train` as a program whose output is read through a pipe, which can be closed."""

import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Driver(subprocess.Popen[bytes]):
    """A command that runs; `said` is what it has written until now. expected: the exit codes that what was done to it
    since it began explains, beside 0."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.expected: set[int] = set()
        self.any_code = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._out = bytearray()
        self._closed = threading.Event()
        self._read, write = os.pipe()
        try:
            super().__init__(
                [sys.executable, "-m", "millrace", *words],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=self._errors,
            )
        finally:
            os.close(write)
        self._reader = threading.Thread(target=self._pump, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return (self._out + os.pread(self._errors.fileno(), 1 << 24, 0)).decode(errors="replace")

    def close_output(self) -> None:
        """Leave, as `| head` does."""
        self._closed.set()
        self._reader.join(10)

    def over(self) -> None:
        """Let go of its output, once it has ended."""
        self.close_output()
        self._errors.close()

    def _pump(self) -> None:
        while not self._closed.is_set():
            if select.select([self._read], [], [], 0.05)[0]:
                piece = os.read(self._read, 1 << 16)
                if not piece:
                    break
                self._out += piece
        os.close(self._read)
