"""Ctrl-C while a call trains: the first asks for a checkpoint, the second is obeyed at once."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def checkpoint_first(stop: threading.Event) -> Iterator[None]:
    """Within it the first Ctrl-C sets `stop`, and KeyboardInterrupt is raised at its end, when the work has stopped in
    order. Only where Ctrl-C would raise it anyway: in the main thread of a program without a handler of its own."""
    interrupts = []

    def interrupted(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        if len(interrupts) > 1:
            raise KeyboardInterrupt
        stop.set()

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupts:
        raise KeyboardInterrupt
