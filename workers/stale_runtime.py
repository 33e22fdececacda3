"""The local runtime of a stale run, and of its replay: threads that each take whole batches and wait for no other."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from millrace.runs import OTHERS, PUBLISH, TRAINER, UPDATE
from millrace.workers.gradient_worker import gradient_worker
from millrace.workers.job import Place
from millrace.workers.local_runtime import LocalRuntime
from millrace.workers.parameter_server import ServerState
from millrace.workers.setup import Setup
from millrace.workers.stale_server import Grant, StaleServer
from millrace.workers.tree import Partial, root


class StaleRuntime(LocalRuntime):
    """server: by default a `StaleServer` of the state."""

    server: StaleServer

    def __init__(
        self, setup: Setup, place: Place, state: ServerState | None = None, server: StaleServer | None = None
    ) -> None:
        # Held from an update to its record, so that records come in the order of updates.
        self._order = threading.Lock()
        super().__init__(setup, place, state, server or StaleServer(setup, state))

    def _keys(self) -> Iterator[tuple[int, int]]:
        for batch in self.server.batches():
            for slot in range(self._setup.order.slots(batch)):
                yield batch, slot

    def _work(self, index: int) -> None:
        worker = gradient_worker(self._setup, self._clocks.here())
        # A copy of its own: the server moves its weights while this worker computes.
        weights = np.empty(self._setup.network.parameters, np.float32)
        while (grant := self._granted(index, weights)) is not None:
            slots = self._setup.order.slots(grant.batch)
            worker.waited = 0.0
            partial = worker.compute(weights, grant.batch, root(slots), slots, self._ahead.take)
            self._give(index, grant, partial, worker.waited)
            worker.recycle(partial.gradient)

    def _granted(self, index: int, weights: npt.NDArray[np.float32]) -> Grant | None:
        """The next batch, once there is one to take; None where there is none left."""
        while not self._ended and not self.server.ended:
            seen = self.server.version, self._limit
            clock = self._clocks.here()
            clock.enter(PUBLISH)
            grant = self.server.take(index, self._limit, weights)
            if grant is not None:
                return grant
            clock.enter(OTHERS if seen[0] < self._limit else TRAINER)
            if not self._ahead.help():
                self._pause_at(*seen)
        return None

    def _pause_at(self, version: int, limit: int) -> None:
        """Until there is another version or another limit."""
        self._pause(lambda: self._ended or (self.server.version, self._limit) != (version, limit))

    def _give(self, index: int, grant: Grant, partial: Partial, waited: float) -> None:
        """Give a batch's sum to the server, and its update to the trainer."""
        clock = self._clocks.here()
        clock.enter(OTHERS)
        while not self._ended and not self.server.due(grant):
            self._pause(lambda: self._ended or self.server.due(grant))
        if self._ended:
            return
        with self._order:
            clock.enter(UPDATE)
            update = self.server.give(index, grant, partial)
            now = time.perf_counter()
            seconds = max(now - self._last, 1e-9)
            self._last = now
            if update is not None:
                waiting = min(waited / (self.workers * seconds), 1.0)
                self._records.put(update._replace(seconds=seconds, waiting=waiting))
        with self._moved:
            self._moved.notify_all()
