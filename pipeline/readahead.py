"""Read-ahead: slots made before they are asked for, within a bound in bytes.

Whoever has time makes slots: threads of the read-ahead's own, or a worker that waits for the next
weights and calls `help`. None has to: a slot that is not made when it is taken is made on the spot.
What is made, when and by whom never changes what it is.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar, cast

from millrace.errors import DeadlineError, UsageError

Made = TypeVar("Made")
Key = tuple[int, int]  # (step, slot)


class _Claim(Generic[Made]):
    """An item that a helper has begun: `done` says whether `item`, or the error that came instead, is there."""

    __slots__ = ("done", "error", "item")

    def __init__(self) -> None:
        self.done = False
        self.item: Made | None = None
        self.error: BaseException | None = None


class ReadAhead(Generic[Made]):
    """Makes items ahead of need. `make(step, slot)` is pure and safe in threads; `keys` names each item once, in the
    order of need; `item_bytes` is what one counts for; at most `bound` bytes are begun or made and untaken, though one
    item always has room unless the bound is 0, which turns reading ahead off."""

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
        self._room = max(1, bound // item_bytes) if bound else 0
        self._claims: dict[Key, _Claim[Made]] = {}  # begun by a helper and not taken
        self._early: set[Key] = set()  # made on the spot, their turn in `keys` still to come
        self._head = next(keys, None)  # the next key that a helper may begin
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"read-ahead-{index}", daemon=True) for index in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, step: int, slot: int) -> tuple[Made, float]:
        """The item, and the seconds that the caller spent waiting for it or making it. Each is taken once.

        What `make` raised for it, here or in a helper, is raised here. Raises a DeadlineError when a helper has begun
        the item and does not end. After `close` items are made on the spot.
        """
        key = (step, slot)
        began = time.perf_counter()
        with self._changed:
            claim = self._claims.get(key)
            if claim is None:
                self._skip(key)
            elif ready := claim.done:
                self._release(key)
            else:
                self._wait_for(key, claim)
        if claim is None:
            return self._make(step, slot), time.perf_counter() - began
        if claim.error is not None:
            raise claim.error
        return cast(Made, claim.item), 0.0 if ready else time.perf_counter() - began

    def help(self) -> bool:
        """Make the next item that no thread has begun, in the calling thread; False where there is no room or no work.

        An Exception of `make` is not raised here but kept for the taker of the item.
        """
        with self._changed:
            begun = self._begin()
        if begun is None:
            return False
        self._finish(*begun)
        return True

    def stop(self) -> None:
        """Have the threads end, without waiting for them; what is made and untaken is dropped."""
        with self._changed:
            self._closed = True
            self._claims = {key: claim for key, claim in self._claims.items() if not claim.done}
            self._changed.notify_all()

    def close(self) -> None:
        """End the threads; what is made and untaken is dropped. Raises a DeadlineError if a thread does not end."""
        self.stop()
        until = time.monotonic() + self._deadline
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        if any(thread.is_alive() for thread in self._threads):
            raise DeadlineError("a thread that reads ahead did not end", expected=f"within {self._deadline:g} s")

    @property
    def waiting(self) -> int:
        """The number of items begun or made and not taken."""
        with self._changed:
            return len(self._claims)

    # The methods below, but for `_finish` and `_work`, are called with the lock held.

    def _release(self, key: Key) -> None:
        self._claims.pop(key, None)
        self._changed.notify_all()

    def _wait_for(self, key: Key, claim: _Claim[Made]) -> None:
        ended = self._changed.wait_for(lambda: claim.done, self._deadline)
        self._release(key)
        if not ended:
            raise DeadlineError(
                f"the batch of step {key[0]}, slot {key[1]} was not made",
                expected=f"within {self._deadline:g} s",
                got="nothing yet",
                do="see whether the machine is overloaded or out of memory",
            )

    def _advance(self) -> None:
        self._head = next(self._keys, None)
        while self._head is not None and self._head in self._early:
            self._early.discard(self._head)
            self._head = next(self._keys, None)

    def _skip(self, key: Key) -> None:
        """Keep helpers from an item that its taker makes. What was taken early is forgotten at its turn."""
        if key == self._head:
            self._advance()
        else:
            self._early.add(key)

    def _begin(self) -> tuple[Key, _Claim[Made]] | None:
        """Claim the next key in the order of need; None where there is no room or no work."""
        key = self._head
        if key is None or self._closed or len(self._claims) >= self._room:
            return None
        claim = self._claims[key] = _Claim()
        self._advance()
        return key, claim

    def _finish(self, key: Key, claim: _Claim[Made]) -> None:
        """Make a claimed item. Whatever happens, the claim ends, so that no thread waits for it for ever."""
        try:
            claim.item = self._make(*key)
        except BaseException as error:
            claim.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            with self._changed:
                claim.done = True
                if self._closed:
                    self._claims.pop(key, None)
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                # Claiming and waiting under one lock: no room can be freed unnoticed in between.
                while (begun := self._begin()) is None:
                    if self._closed or self._head is None:
                        return
                    self._changed.wait(1.0)
            self._finish(*begun)
