"""Clocks: which stage each thread of a run is in, and how long it was in each. Nothing ever waits for one."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

from millrace.runs import IDLE, STAGES, Spent

KEPT = 50_000  # stretches of a thread that a trace keeps: the last ones


class Stretch(NamedTuple):
    """A thread was in a stage (its number) from one moment to another, in seconds of `time.perf_counter`."""

    stage: int
    begin: float
    end: float


class Clock:
    """One thread's. Whoever else reads it may be a stretch behind. traced: whether single stretches are kept."""

    __slots__ = ("_counts", "_seconds", "_since", "_squares", "_stage", "stretches")

    def __init__(self, stage: int = IDLE, traced: bool = False) -> None:
        self.stretches: deque[Stretch] | None = deque(maxlen=KEPT) if traced else None
        self.begin(stage)

    def begin(self, stage: int = IDLE) -> None:
        """Forget what was before: the thread has begun nothing yet but this."""
        count = len(STAGES)
        self._seconds, self._counts, self._squares = [0.0] * count, [0] * count, [0.0] * count
        self._stage, self._since = stage, perf_counter()

    def enter(self, stage: int, at: float | None = None) -> int:
        """From now on, or since the moment `at`, the thread is in this stage; the one that it was in. What it entered
        since that moment stands."""
        now = perf_counter() if at is None else max(at, self._since)
        before, begin = self._stage, self._since
        seconds = now - begin
        self._seconds[before] += seconds
        self._counts[before] += 1
        self._squares[before] += seconds * seconds
        self._stage, self._since = stage, now
        if self.stretches is not None:
            self.stretches.append(Stretch(before, begin, now))
        return before

    @property
    def since(self) -> float:
        """When the thread entered the stage that it is in."""
        return self._since

    @contextmanager
    def within(self, stage: int) -> Iterator[None]:
        """Be in a stage for a while, then in the one before."""
        before = self.enter(stage)
        try:
            yield
        finally:
            self.enter(before)

    @property
    def spent(self) -> Spent:
        """All so far, with the stretch that is not over."""
        seconds, stage, since = list(self._seconds), self._stage, self._since
        seconds[stage] += max(perf_counter() - since, 0.0)
        return Spent(tuple(seconds), tuple(self._counts), tuple(self._squares))


class Clocks:
    """The clocks of the threads of one process, each by its thread's name, made when its thread first asks."""

    def __init__(self, traced: bool = False) -> None:
        self._own = threading.local()
        self._traced = traced
        self.all: dict[str, Clock] = {}

    def here(self) -> Clock:
        """The calling thread's."""
        try:
            return self._own.clock  # type: ignore[no-any-return]
        except AttributeError:
            clock = self._own.clock = Clock(traced=self._traced)
            self.all[threading.current_thread().name] = clock
            return clock
