"""Steps in a row from a server: one call for many of them, and the next call where that one broke."""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import flight

from millrace.errors import ServiceError, UsageError
from millrace.pipeline import Sizes, Visited, images_of, labels_of, parameters_of, samples_of
from millrace.service.client.link import FAULTS, Link
from millrace.service.client.refusals import told
from millrace.service.ticket import BUSY, RangeTicket

DEADLINE = 600.0  # seconds in which a step must be there, beyond the patience with servers
_PLAIN = re.compile(rb'\{"step":(\d{1,19})\}')
AGAIN = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds between tries while a server lets go of a call that was cut
MOST_STEPS = 1 << 16  # of one call: the server has a bound


def one_batch(answer: Any, step: int, rows: int) -> pa.RecordBatch:
    """The next batch of an answer, which must be of this step and have so many rows.

    Errors: ServiceError for another one; ConnectionError where the answer ends before; what pyarrow raises."""
    try:
        chunk = answer.read_chunk()
    except StopIteration:
        raise ConnectionError("the answer ended before its last step") from None
    sent = b"" if chunk.app_metadata is None else chunk.app_metadata.to_pybytes()
    if _step(sent) != step or chunk.data.num_rows != rows:
        got = f"{sent[:60].decode('ascii', 'replace')}, {chunk.data.num_rows} rows"
        raise ServiceError("the server sent another batch", expected=f"step {step}, {rows} rows", got=got)
    return chunk.data


def _step(sent: bytes) -> object:
    """The step that a batch's metadata says it is of; None where it says none."""
    if match := _PLAIN.fullmatch(sent):  # as our servers write it
        return int(match[1])
    try:
        return json.loads(sent)["step"]
    except (KeyError, TypeError, ValueError):
        return None


def visited(batch: pa.RecordBatch) -> Visited:
    """The rows of a batch as arrays over its memory."""
    return Visited(samples_of(batch), labels_of(batch), images_of(batch), parameters_of(batch))


class ServedSteps(Protocol):
    """What a reading needs to know of its stream."""

    link: Link
    digest: str
    sizes: Sizes

    def within(self, step: int, rank: int, world: int) -> tuple[int, int]: ...
    def batch(self, step: int, begin: int, end: int, ended: Callable[[], bool]) -> pa.RecordBatch: ...
    def complete(self, step: int, batch: pa.RecordBatch) -> pa.RecordBatch: ...


class SteadyShares:
    """The steps of a pass, of one rank. Threads ask for them about in order: who comes first receives for the others.
    What a call had not delivered when it broke is asked for again, from that step on: none is lost, none comes twice.

    most: steps that one call may ask for; below 2, or where steps are left out, each is asked for alone. So is one that
    nobody waits for in order.
    """

    def __init__(self, served: ServedSteps, steps: range, rank: int, world: int, *, most: int) -> None:
        self._served, self._steps, self._rank, self._world = served, steps, rank, world
        self._most = min(most, MOST_STEPS) if steps.step == 1 else 1
        self.deadline = DEADLINE + 2 * served.link.patience
        self._process, self._lock, self._closed = os.getpid(), threading.Lock(), False
        self._next = steps.start  # the step that is received next
        self._early: dict[int, pa.RecordBatch] = {}  # received while another was waited for
        self._answer: Any = None
        self._until = steps.start  # the end of what the answer brings
        self._renew_at = 0.0  # when it is asked for anew (monotonic seconds)

    def rows(self, step: int, rank: int, world: int) -> Visited:
        """The rank's rows of a step, as `RemoteSource.rows`."""
        return visited(self._batch(step))

    def record(self, step: int, rank: int, world: int) -> pa.RecordBatch:
        """The same as a record batch."""
        return self._served.complete(step, self._batch(step))

    def close(self) -> None:
        """Cut the call that runs; whoever waits for it gets an error."""
        self._closed, answer = True, self._answer
        if answer is not None:
            answer.cancel()

    def _batch(self, step: int) -> pa.RecordBatch:
        if self._most > 1 and os.getpid() == self._process:
            with self._lock:
                if (early := self._early.pop(step, None)) is not None:
                    return early
                # A step far ahead is of somebody who does not go in order; what lies before would be kept for nobody.
                if self._next <= step < min(self._next + 2 * self._most, self._steps.stop):
                    return self._received(step)
        begin, end = self._served.within(step, self._rank, self._world)
        return self._served.batch(step, begin, end, self._left)

    def _left(self) -> bool:
        return self._closed

    # The methods below are called with the lock held.

    def _received(self, step: int) -> pa.RecordBatch:
        while (number := self._next) < step:
            self._early[number] = self._receive()
        return self._receive()

    def _receive(self) -> pa.RecordBatch:
        """The next step: from the answer that comes in, or from a new one."""
        batch = self._served.link.persist(self._try, self._left)
        self._next += 1
        return batch

    def _try(self, client: flight.FlightClient) -> pa.RecordBatch:
        if self._closed:
            raise UsageError("the iteration was closed", do="iterate over the loader again")
        begin, end = self._served.within(self._next, self._rank, self._world)
        try:
            if self._answer is not None and self._next < self._until and time.monotonic() > self._renew_at:
                return self._renewed(client, end - begin)
            if self._answer is None or self._next >= self._until:
                self._ask(client)
            return one_batch(self._answer, self._next, end - begin)
        except BaseException:  # the next try asks anew
            answer, self._answer = self._answer, None
            if answer is not None:
                answer.cancel()
            raise

    def _renewed(self, client: flight.FlightClient, rows: int) -> pa.RecordBatch:
        """The next step from a new call to the same server: a reader that is slow would come to the deadline of the old
        one, which is no fault of the server's. What that one held there may be let go of a moment later."""
        for pause in (*AGAIN, None):
            if self._answer is not None:
                self._answer.cancel()
                self._answer = None
            try:
                self._ask(client)
                return one_batch(self._answer, self._next, rows)
            except FAULTS as error:
                if pause is None or self._closed or told(error)[0] != BUSY:
                    raise
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _ask(self, client: flight.FlightClient) -> None:
        if self._answer is not None:  # it has brought its last step: take the end of the call too
            with contextlib.suppress(StopIteration, *FAULTS):
                self._answer.read_chunk()
            self._answer = None
        self._until = min(self._next + self._most, self._steps.stop)
        ticket = RangeTicket(self._served.digest, self._next, self._until, self._rank, self._world)
        # Half of what it is allowed: the step that is received then has the other half to come in.
        self._renew_at = time.monotonic() + self._served.link.allowed() / 2
        self._answer = client.do_get(flight.Ticket(ticket.encode()), self._served.link.options())
