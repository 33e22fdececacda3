"""Items that say who they are, and ways to hold them up: what the tests of read-ahead share."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from millrace.pipeline import ReadAhead

Key = tuple[int, int]
Made = tuple[str, int, int]


def make(step: int, slot: int) -> Made:
    return ("item", step, slot)


def keys(steps: int = 1000, slots: int = 2) -> Iterator[Key]:
    return ((step, slot) for step in range(steps) for slot in range(slots))


def ahead(made: Callable[[int, int], Any] = make, **changed: Any) -> ReadAhead[Any]:
    options = {"keys": keys(), "item_bytes": 10, "bound": 40, "deadline": 10.0, **changed}
    return ReadAhead(made, options.pop("keys"), **options)


def until(condition: Callable[[], object]) -> None:
    """Wait until something in another thread has come true."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


class Gate:
    """A `make` that records who entered and lets them go on when it is asked to."""

    def __init__(self) -> None:
        self.entered: list[Key] = []
        self.open = threading.Event()

    def __call__(self, step: int, slot: int) -> Made:
        self.entered.append((step, slot))
        assert self.open.wait(10)
        return make(step, slot)


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[Any]]:
    """Begin some work; its result, or its exception, is in the list when the thread has ended."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, results


class Broken(Exception):
    """What a `make` of the tests raises."""
