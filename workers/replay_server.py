"""The parameter server of a replay: the updates of a journal, in its order, each at the weights that it read."""

from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from millrace.runs import JournalRow
from millrace.workers.parameter_server import F32Array, ServerState, Update
from millrace.workers.setup import Setup
from millrace.workers.stale_server import Grant, StaleServer
from millrace.workers.tree import Partial


class ReplayServer(StaleServer):
    """Any number of threads may take and give, and it ends in the same bits: what is given waits for its turn. Of older
    weights those are kept that will still be read: not more than the run had workers."""

    def __init__(self, setup: Setup, rows: Sequence[JournalRow]) -> None:
        self._rows, self._taken = rows, 0
        self._readers = array("i", bytes(4 * (len(rows) + 1)))  # how often each version will still be read
        for row in rows:
            self._readers[row.read] += 1
        self._kept: dict[int, F32Array] = {}
        super().__init__(setup)

    @property
    def ended(self) -> bool:
        return self._taken >= len(self._rows)

    def batches(self) -> Iterator[int]:
        return (row.batch for row in self._rows)

    def take(self, worker: int, limit: int, weights: F32Array) -> Grant | None:
        with self._updating:
            if self._taken >= min(limit, len(self._rows)) or self._rows[self._taken].read > self.version:
                return None
            row = self._rows[self._taken]
            np.copyto(weights, self._kept[row.read])
            self._readers[row.read] -= 1
            if not self._readers[row.read]:
                del self._kept[row.read]
            self._taken += 1
            return Grant(row.batch, row.read, self._taken - 1)

    def give(self, worker: int, grant: Grant, partial: Partial) -> Update | None:
        with self._updating:
            return self._move(partial, None, row=self._rows[self.version])

    def _publish(self, state: ServerState) -> F32Array:
        view = super()._publish(state)
        if self._readers[state.version]:
            self._kept[state.version] = view.copy()
        return view
