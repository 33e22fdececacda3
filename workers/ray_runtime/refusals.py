"""Nodes on which nothing is started: for good, or for a while where what went wrong there may pass."""

import time
from collections import Counter
from collections.abc import Callable, Collection

from millrace.errors import DeadlineError

REST = 60.0  # seconds that a node is left alone for what may pass; twice as long each time
TRIES = 3  # times that it may come again before the node is left out for good


class Refusals:
    """What came too late may come in time again, a few times. What lasts is another environment, or a disk that has no
    room for the table."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._late: Counter[str] = Counter()

    def add(self, node: str, cause: BaseException | None = None) -> None:
        """A node was refused; empty: it is not known which. cause: why; None: for what lasts."""
        if not node:
            return
        self._late[node] += 1
        passes = isinstance(cause, DeadlineError) and self._late[node] < TRIES
        until = self._clock() + REST * 2 ** (self._late[node] - 1) if passes else float("inf")
        self._until[node] = max(until, self._until.get(node, 0.0))

    def __contains__(self, node: object) -> bool:
        """Whether nothing is to be started there now."""
        return self._clock() < self._until.get(str(node), 0.0)

    @property
    def nodes(self) -> list[str]:
        """The nodes on which nothing is to be started now."""
        return [node for node in self._until if node in self]

    def around(self, alive: Collection[str]) -> list[str] | None:
        """The nodes to keep away from where something must be started: those for good alone where no other is left of
        these; None where there is none then either."""
        lasting = [node for node, until in self._until.items() if until == float("inf")]
        for avoided in (self.nodes, lasting):
            if set(alive) - set(avoided):
                return avoided
        return None
