"""The crew: threads that wait for something else help with work that is cut into pieces."""

import threading
import time
from collections.abc import Callable

from millrace.errors import DeadlineError

Work = Callable[[int, int], None]  # does the elements [begin, end)

PIECE = 1 << 17  # elements of a piece: some tenths of a millisecond
DEADLINE = 600.0  # seconds for one spread


class Crew:
    """One piece of work at a time, spread by one thread; any other helps while it waits.

    changed: the condition that waiting threads sleep on; they are woken when there is work. Who does which piece
    changes nothing: pieces are cut at fixed places and do not touch each other's elements.
    """

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._work: Work | None = None
        self._next = self._end = self._running = 0
        self._error: BaseException | None = None

    @property
    def busy(self) -> bool:
        """Whether there is a piece that was not begun."""
        return self._next < self._end

    def spread(self, work: Work, size: int) -> None:
        """Have work(begin, end) done for pieces that cover [0, size); raises what a piece raised, once none runs."""
        with self._changed:
            self._work, self._error = work, None
            self._next, self._end = 0, size
            self._changed.notify_all()
        while self.help():
            pass
        until = time.monotonic() + DEADLINE
        with self._changed:
            if not self._changed.wait_for(lambda: self._running == 0, until - time.monotonic()):
                raise DeadlineError("a piece of an update was not done", expected=f"within {DEADLINE:g} s")
            self._work = None
            if self._error is not None:
                raise self._error

    def help(self) -> bool:
        """Do one piece, in the calling thread; False where there is none left."""
        with self._changed:
            if self._work is None or self._next >= self._end:
                return False
            work, begin, end = self._work, self._next, min(self._next + PIECE, self._end)
            self._next = end
            self._running += 1
        try:
            work(begin, end)
        except BaseException as error:
            with self._changed:
                self._error, self._next = error, self._end
        finally:
            with self._changed:
                self._running -= 1
                if not self._running and self._next >= self._end:
                    self._changed.notify_all()
        return True
