"""A step of training, simulated: threads that make batches, compute, wait for each other, and share the cores.

A thread is a generator that says what it does next: so many seconds of work, or a wait. Where more threads work than
there are cores, all of them are that much slower; threads of one process take the interpreter's lock from each other,
so that a piece of work takes longer while another thread works. Nothing is drawn: how long it takes follows the
quantiles of its distribution, in an order that looks like chance and is always the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import NamedTuple

WARM, MOST, WORK = 8, 60, 20_000  # steps before the clock starts; steps that count; slots and threads in all at most
SPREAD = 2.0  # the largest deviation, in means, that is taken for what a piece of work does by itself
GOLDEN = (sqrt(5) - 1) / 2


class Piece(NamedTuple):
    """Seconds of work on one core, and how many more where another thread works all the while."""

    seconds: float
    beside: float = 0.0


Thread = Iterator[Piece | None]  # work, or None: wait for a change


@dataclass(frozen=True)
class Cost:
    """Seconds of one core for a piece of work: their mean, and their deviation; beside: how many more where another
    thread of the run works all the while."""

    mean: float
    deviation: float = 0.0
    beside: float = 0.0


@dataclass(frozen=True)
class Works:
    """What a step consists of, and who does it.

    slots: of a step. room: slots made ahead at most. make, compute: of a slot. send: of a slot, after it was computed.
    update, publish: of a step; aside: what the trainer does in each step, beside it; all in seconds of one core.
    helping: whether workers that wait for others make batches and help to update. makers: whether augmenters alone make
    batches, and no worker does where there is one. load: threads of others that want the cores all the time.
    crowd: by which part of what one thread beside another costs each further thread adds to that."""

    workers: int
    augmenters: int
    cores: int
    slots: int
    room: int
    make: Cost
    compute: Cost
    send: float = 0.0
    update: float = 0.0
    publish: float = 0.0
    aside: float = 0.0
    helping: bool = True
    makers: bool = False
    load: float = 0.0
    crowd: float = 0.0


def step_seconds(works: Works) -> float:
    """The seconds of a step, on average, once the run is under way."""
    counted = max(8, min(MOST, WORK // (works.slots + works.workers + works.augmenters)))
    return _Run(works, WARM + counted).seconds_per_step(WARM)


class _Run:
    """The state that the threads share."""

    def __init__(self, works: Works, steps: int) -> None:
        self._works, self._steps = works, steps
        self._version, self._arrived, self._asides = 0, 0, 0
        self._head = 0  # the next slot, of all steps, that a helper may begin
        self._begun: dict[int, bool] = {}  # slots begun by helpers and not taken: whether they are made
        self._early: set[int] = set()
        self._ends: list[float] = []  # of the steps

    def seconds_per_step(self, warm: int) -> float:
        works = self._works
        threads = [self._worker(k) for k in range(works.workers)]
        threads += [self._augmenter(k) for k in range(works.augmenters)]
        threads.append(self._trainer())
        _share(threads, works.cores, works.load, works.crowd, lambda now: self._done(now))
        return (self._ends[-1] - self._ends[warm - 1]) / (len(self._ends) - warm)

    def _done(self, now: float) -> bool:
        """Note the time of a step that has ended; whether that was the last."""
        while len(self._ends) < self._version:
            self._ends.append(now)
        return self._version >= self._steps

    def _worker(self, number: int) -> Thread:
        works = self._works
        mine = range(works.slots * number // works.workers, works.slots * (number + 1) // works.workers)
        compute, make = _lengths(works.compute, number), _lengths(works.make, number + 0.5)
        for step in range(self._steps):
            for slot in mine:
                yield from self._take(step * works.slots + slot, make)
                yield Piece(next(compute) + works.send, works.compute.beside)
                self._arrived += 1
            if mine and self._arrived == works.slots * (step + 1):
                helpers = min(works.workers, works.cores) if works.helping else 1
                yield Piece(works.update / helpers + works.publish)
                self._version += 1
                self._asides += 1
            while self._version <= step:
                if works.helping and self._free:
                    yield from self._help(make)
                else:
                    yield None

    def _take(self, key: int, make: Iterator[float]) -> Thread:
        if key in self._begun:
            while not self._begun[key]:
                yield None
            del self._begun[key]
        elif self._works.makers and self._works.augmenters and self._works.make.mean:
            while not self._begun.get(key):
                yield None
            del self._begun[key]
        else:
            self._early.add(key)
            yield Piece(next(make), self._works.make.beside)

    @property
    def _free(self) -> bool:
        """Whether a helper may begin a slot."""
        while self._head in self._early:
            self._early.discard(self._head)
            self._head += 1
        return len(self._begun) < self._works.room and self._head < self._steps * self._works.slots

    def _help(self, make: Iterator[float]) -> Thread:
        key = self._head
        self._head += 1
        self._begun[key] = False
        yield Piece(next(make), self._works.make.beside)
        self._begun[key] = True

    def _augmenter(self, number: int) -> Thread:
        make = _lengths(self._works.make, number + 0.25)
        while True:
            if self._free:
                yield from self._help(make)
            else:
                yield None

    def _trainer(self) -> Thread:
        while True:
            if self._asides:
                self._asides -= 1
                yield Piece(self._works.aside)
            else:
                yield None


def pressure(threads: int, crowd: float) -> float:
    """How much longer a piece takes where so many threads work, in times of what it does where two do."""
    return 1 + crowd * (threads - 2) if threads > 1 else 0.0


def _share(threads: list[Thread], cores: int, load: float, crowd: float, done: Callable[[float], bool]) -> None:
    """Run the threads on so many cores until it is done. A wait ends with any change, which each thread looks at."""
    now, waiting = 0.0, list(threads)
    working: list[tuple[float, float, Thread]] = []  # seconds of work left, and how much slower it is beside others
    while not done(now):
        moved = True
        while moved:
            # Whoever waits looks once more as long as anybody has begun something: that may have been waited for.
            moved, looked, waiting = False, waiting, []
            for thread in looked:
                piece = next(thread, None)
                if piece is None:
                    waiting.append(thread)
                else:
                    moved = True
                    working.append((piece.seconds, piece.beside / max(piece.seconds, 1e-12), thread))
        if not working:
            return
        rate, pressed = min(1.0, cores / (len(working) + load)), pressure(len(working), crowd)
        passed = min(left * (1 + slower * pressed) for left, slower, _ in working)
        now += passed / rate
        before, working = working, []
        for left, slower, thread in before:
            left -= passed / (1 + slower * pressed)
            if left <= 1e-12:
                waiting.append(thread)
            else:
                working.append((left, slower, thread))


def _lengths(cost: Cost, offset: float) -> Iterator[float]:
    """How long a piece of work takes, each time: of a lognormal distribution, whose quantiles come in turns."""
    part = min(cost.deviation / cost.mean, SPREAD) if cost.mean > 0 else 0.0
    sigma = sqrt(log(1 + part * part))
    middle = log(cost.mean) - sigma * sigma / 2 if cost.mean > 0 else 0.0
    place = (0.5 + offset * sqrt(2)) % 1.0
    normal = NormalDist()
    while True:
        place = (place + GOLDEN) % 1.0
        quantile = min(max(place, 1e-3), 1 - 1e-3)
        yield exp(middle + sigma * normal.inv_cdf(quantile)) if cost.mean > 0 else 0.0
