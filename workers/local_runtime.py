"""The local runtime: gradient workers as threads of this process, around one parameter server.

No thread waits idly: a worker whose contribution is in makes batches ahead until the last contribution comes; whoever
brings that one updates the weights, and the others help. A step costs no message and no copy of an array.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from millrace.cores import cores
from millrace.pipeline import ReadAhead
from millrace.runs import OTHERS, PUBLISH, TRAINER, UPDATE, Spent
from millrace.workers.clock import Clock, Clocks
from millrace.workers.crew import Crew
from millrace.workers.gradient_worker import GradientWorker, gradient_worker
from millrace.workers.job import Place
from millrace.workers.parameter_server import ParameterServer, ServerState, Update
from millrace.workers.setup import Setup
from millrace.workers.slot import Slot
from millrace.workers.tree import share

MIB = 1 << 20
LEAVE = 600.0  # seconds for a thread to end what it computes


class LocalRuntime:
    """Threads that compute the steps from the server's version on; see `workers.runtime.Runtime`. server: by default
    one of the state."""

    kind = "local"

    def __init__(
        self, setup: Setup, place: Place, state: ServerState | None = None, server: ParameterServer | None = None
    ) -> None:
        self._setup = setup
        # What the workers share is made before their threads start, which would all make it at the same time.
        _ = setup.inputs
        self.server = server or ParameterServer(setup, state)
        self._slots = setup.order.most_slots
        self.workers = min(place.most_workers or cores(), setup.most_at_work)
        self.augmenters, self.cores = place.augmenters or 0, cores()
        self.copied = 0
        self._clocks = Clocks(traced=place.trace is not None)
        self._ahead: ReadAhead[Slot] = ReadAhead(
            lambda step, slot: Slot.made(setup.stream, step, slot, self._clocks.here()),
            self._keys(),
            item_bytes=setup.stream.slot_bytes,
            bound=place.read_ahead * MIB,
            threads=self.augmenters,
            deadline=setup.stream.deadline,
        )
        self._moved = threading.Condition()  # the version, the limit, the end, or work for the crew
        self._crew = Crew(self._moved)
        self._limit, self._ended = self.server.version, False
        self._records: SimpleQueue[Update | BaseException] = SimpleQueue()
        self._failure: BaseException | None = None  # what ended a worker
        self._waited = [0.0] * self.workers
        self._last = 0.0
        self._threads = [
            threading.Thread(target=self._run, args=(index,), name=f"worker-{index}", daemon=True)
            for index in range(self.workers)
        ]

    def start(self) -> None:
        self._last = time.perf_counter()
        for thread in self._threads:
            thread.start()

    def allow(self, limit: int) -> None:
        with self._moved:
            self._limit = limit
            # The time until the next step is allowed is no step's time.
            self._last = time.perf_counter()
            self._moved.notify_all()

    def cut(self, epochs: Sequence[int]) -> None:
        self.server.cut(epochs)

    def finished(self, timeout: float) -> list[Update]:
        records: list[Update] = []
        while self._failure is None:
            try:
                record = self._records.get(timeout=timeout) if not records else self._records.get_nowait()
            except Empty:
                return records
            if isinstance(record, BaseException):
                self._failure = record
            else:
                records.append(record)
        if not records:
            raise self._failure
        # The last steps before a failure say most about it: they are handed out before it is raised.
        return records

    def snapshot(self) -> ServerState:
        return self.server.snapshot()

    def spent(self) -> dict[str, Spent]:
        return {name: clock.spent for name, clock in self.clocks.items()}

    @property
    def clocks(self) -> dict[str, Clock]:
        """Of each thread that has begun, by its role and number."""
        return {name.replace("read-ahead", "augmenter"): clock for name, clock in list(self._clocks.all.items())}

    def close(self) -> None:
        with self._moved:
            self._ended = True
            self._moved.notify_all()
        self._setup.stream.close()
        self._ahead.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(LEAVE)

    def _keys(self) -> Iterator[tuple[int, int]]:
        for step in range(self.server.version, self._setup.total_steps):
            for slot in range(self._setup.order.slots(step)):
                yield step, slot

    def _run(self, index: int) -> None:
        try:
            self._work(index)
        except BaseException as error:
            self._records.put(error)
            with self._moved:
                self._ended = True
                self._moved.notify_all()

    def _work(self, index: int) -> None:
        """What one worker does, from start to end."""
        worker = gradient_worker(self._setup, self._clocks.here())
        step = self.server.version
        while self._wait_for(step):
            self._compute(worker, index, step)
            step += 1

    def _compute(self, worker: GradientWorker, index: int, step: int) -> None:
        slots = self._setup.order.slots(step)
        weights = self.server.view
        worker.waited = 0.0
        gradients = []
        complete = False
        for block in share(slots, self.workers, index):
            partial = worker.compute(weights, step, block, slots, self._ahead.take)
            gradients.append(partial.gradient)
            self._waited[index] = worker.waited
            complete = self.server.contribute(step, block, partial)[1]
        if complete:
            self._update(worker.clock)
        elif gradients:
            # The server reads the arrays until the step is over.
            self._wait_until(step + 1)
        for gradient in gradients:
            worker.recycle(gradient)

    def _update(self, clock: Clock) -> None:
        clock.enter(UPDATE)
        update = self.server.update(self._crew.spread)
        now = time.perf_counter()
        clock.enter(PUBLISH, now - self.server.publishing)
        seconds = max(now - self._last, 1e-9)
        self._last = now
        waiting = min(sum(self._waited) / (self.workers * seconds), 1.0)
        self._waited = [0.0] * self.workers
        with self._moved:
            self._moved.notify_all()
        self._records.put(update._replace(seconds=seconds, waiting=waiting))

    def _wait_for(self, step: int) -> bool:
        """Wait until the step may be computed; False where it never will."""
        self._clocks.here().enter(OTHERS if step < self._limit else TRAINER)
        while True:
            with self._moved:
                if self._ended or step >= self._setup.total_steps:
                    return False
                if step <= self.server.version and step < self._limit:
                    return True
            if not self._ahead.help():
                self._pause(lambda: self._ended or (step <= self.server.version and step < self._limit))

    def _wait_until(self, version: int) -> None:
        """Wait for the weights of a version, making batches meanwhile; until `close` where a step hangs, since the
        trainer knows how long it may take (`Standstill`)."""
        clock = self._clocks.here()
        clock.enter(OTHERS)
        while self.server.version < version and not self._ended:
            # What the next step needs first, then the update, then what later steps need.
            scarce = self._ahead.waiting < self._slots
            if not (scarce and self._ahead.help()) and not self._help_to_update(clock) and not self._ahead.help():
                self._pause(lambda: self._ended or self._crew.busy or self.server.version >= version)

    def _help_to_update(self, clock: Clock) -> bool:
        began = time.perf_counter()
        helped = self._crew.help()
        if helped:
            clock.enter(UPDATE, began)
            clock.enter(OTHERS)
        return helped

    def _pause(self, until: Callable[[], bool]) -> None:
        with self._moved:
            self._moved.wait_for(until, 1.0)
