"""Actors whose stretches are traced: what each kept of its own, brought to the clock of the process that asks."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import ray
from ray.exceptions import RayError

from millrace.storage import Process
from millrace.workers.clock import Clock, Stretch
from millrace.workers.trace import MOST

PINGS = 5  # questions for the time, of which the one that was answered soonest counts


class Moment(NamedTuple):
    """What `time.perf_counter` says now. boot: the kernel's id of its start, since when that counts; empty where the
    system does not say."""

    boot: str
    seconds: float

    @classmethod
    def here(cls) -> "Moment":
        """Of this process."""
        return cls(Process.here().boot, perf_counter())


class Traced:
    """Of an actor: what its clock kept."""

    _clock: Clock

    def moment(self) -> Moment:
        """What time it is in its process."""
        return Moment.here()

    def stretches(self, most: int) -> npt.NDArray[np.float64]:
        """The last of them, float64 (n, 3): the number of the stage, from when, until when."""
        kept = self._clock.stretches
        found = list(kept.copy())[-most:] if kept else []
        return np.array(found, np.float64).reshape(-1, 3)


def gathered(actors: Mapping[str, Any], seconds: float) -> dict[str, list[Stretch]]:
    """The last stretches of each actor, by its name, in this process's time. Who does not answer within so many seconds
    is left out."""
    until, most = time.monotonic() + seconds, MOST // max(len(actors), 1)
    asked = {name: actor.stretches.remote(most) for name, actor in actors.items()}
    found = {}
    for name, answer in asked.items():
        with suppress(RayError, TimeoutError):
            rows = ray.get(answer, timeout=max(until - time.monotonic(), 0.0))
            ahead = behind(partial(_told, actors[name], until))
            found[name] = [Stretch(int(stage), begin + ahead, end + ahead) for stage, begin, end in rows.tolist()]
    return found


def behind(ask: Callable[[], Moment]) -> float:
    """The seconds by which another process's `time.perf_counter` is behind this one's. On one machine there is but one
    such clock; from elsewhere the answer is taken for one of the middle between question and answer."""
    best, found = float("inf"), 0.0
    for _ in range(PINGS):
        begin = perf_counter()
        there = ask()
        end = perf_counter()
        if there.boot and there.boot == Moment.here().boot:
            return 0.0
        if end - begin < best:
            best, found = end - begin, (begin + end) / 2 - there.seconds
    return found


def _told(actor: Any, until: float) -> Moment:
    return ray.get(actor.moment.remote(), timeout=max(until - time.monotonic(), 0.0))  # type: ignore[no-any-return]
