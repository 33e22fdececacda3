"""Stopping: the first Ctrl-C or SIGTERM asks for a checkpoint, the second Ctrl-C ends the process at once."""

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

SHOW_CURSOR = b"\x1b[?25h"


class Stopping:
    """Catches the signals while it is entered. `event` is set by the first; `signal` says which it was."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def code(self) -> int:
        """The exit code of a process that ended by the signal: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + int(self.signal or signal.SIGINT)

    def __enter__(self) -> "Stopping":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._caught:  # else whoever stands around this one has ended before it
                signal.signal(number, handler)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            # At once: no lock, no thread and no file is waited for. Checkpoints are renamed whole, so nothing tears.
            if sys.stdout.isatty():
                os.write(1, SHOW_CURSOR)
            os.write(2, b"\naborted\n")
            os._exit(128 + number)
        if self.signal is None:
            self.signal = signal.Signals(number)
            self.event.set()
