"""Read-ahead: slots made before they are asked for, within a bound in bytes.

Whoever has time makes slots: threads of the read-ahead's own, or a worker that waits for the next
weights and calls `help`. Nobody needs to: a slot that is not made when it is taken is made on the spot.
What is made, when and by whom never changes what it is.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from errors import DeadlineError, UsageError

Made = TypeVar("Made")
Key = tuple[int, int]  # (step, slot)


class ReadAhead(Generic[Made]):
    """Makes items ahead of need. `make(step, slot)` is pure and safe in threads; `keys` names the items in the order of
    need; `item_bytes` is what one counts for; at most `bound` bytes wait untaken, but always room for one item."""

    def __init__(
        self,
        make: Callable[[int, int], Made],
        keys: Iterator[Key],
        *,
        item_bytes: int,
        bound: int,
        threads: int = 0,
        deadline: float = 60.0,
    ) -> None:
        if bound < 0 or item_bytes < 1 or threads < 0:
            raise UsageError("read-ahead is out of range", expected="bound ≥ 0, threads ≥ 0", got=(bound, threads))
        self._make, self._keys, self._deadline = make, keys, deadline
        self._room = max(1, bound // item_bytes)
        self._made: dict[Key, Made] = {}
        self._begun: set[Key] = set()  # taken up by somebody and not yet handed out
        self._taken: set[Key] = set()  # asked for before its turn in `keys` came
        self._failed: dict[Key, BaseException] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def take(self, step: int, slot: int) -> tuple[Made, float]:
        """The item, and the seconds that the caller spent waiting for it or making it. Each is taken once."""
        key = (step, slot)
        with self._changed:
            if key in self._made:
                return self._hand_out(key), 0.0
            began = time.perf_counter()
            if key in self._begun:
                self._wait_for(key)
                return self._hand_out(key), time.perf_counter() - began
            self._taken.add(key)
        item = self._make(step, slot)
        return item, time.perf_counter() - began

    def help(self) -> bool:
        """Make the next item that nobody has begun, in the calling thread; False where there is no room or no work."""
        with self._changed:
            key = self._next()
        if key is None:
            return False
        try:
            item = self._make(*key)
        except BaseException as error:
            with self._changed:
                self._failed[key] = error
                self._changed.notify_all()
            raise
        with self._changed:
            self._made[key] = item
            self._changed.notify_all()
        return True

    def close(self) -> None:
        """End the threads; what is made and untaken is dropped."""
        with self._changed:
            self._closed = True
            self._made.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(self._deadline)

    @property
    def waiting(self) -> int:
        """The number of items begun or made and not taken."""
        with self._changed:
            return len(self._begun)

    def _hand_out(self, key: Key) -> Made:
        self._begun.discard(key)
        self._changed.notify_all()
        return self._made.pop(key)

    def _wait_for(self, key: Key) -> None:
        until = time.monotonic() + self._deadline
        while key not in self._made:
            if key in self._failed:
                raise self._failed[key]
            left = until - time.monotonic()
            if left <= 0 or self._closed:
                raise DeadlineError(
                    f"batch of step {key[0]}, slot {key[1]} was not made",
                    expected=f"within {self._deadline:g} s",
                    got="nothing",
                )
            self._changed.wait(left)

    def _next(self) -> Key | None:
        """Claim the next key in the order of need; the caller holds the lock."""
        while not self._closed and len(self._begun) < self._room:
            key = next(self._keys, None)
            if key is None:
                return None
            if key in self._taken:
                self._taken.discard(key)
                continue
            self._begun.add(key)
            return key
        return None

    def _work(self) -> None:
        while True:
            try:
                busy = self.help()
            except BaseException:
                return  # kept in _failed: whoever takes the item sees it
            with self._changed:
                if self._closed:
                    return
                if not busy:
                    self._changed.wait(1.0)
