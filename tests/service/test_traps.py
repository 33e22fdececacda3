"""What is known to go wrong in pyarrow.flight and gRPC, by the numbers of its tracker, and how it is bounded here."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from millrace.service.budget import Limits
from millrace.service.place import ServePlace
from millrace.service.service import Service
from millrace.service.ticket import RangeTicket, StepTicket
from millrace.service.workshop import Workshop
from tests.service.conftest import get, offered, pictures

Serve = Callable[..., Service]


def test_batches_of_one_call_are_made_beside_each_other() -> None:
    """apache/arrow#40360: a Python-side stream is asked for one batch after the other, under the interpreter's lock."""
    meeting, workshop = threading.Barrier(2), Workshop(2)

    def make(step: int, _: int) -> list[pa.RecordBatch]:
        meeting.wait(10)  # two threads are here at once, or this fails
        return [pa.record_batch({"step": [step]})]

    reader = workshop.open(make, ((step, 0) for step in range(4)), item_bytes=1, bound=4)
    try:
        deadline = time.monotonic() + 10
        while reader.waiting < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert [reader.take(step, 0)[0][0]["step"].to_pylist() for step in range(4)] == [[0], [1], [2], [3]]
    finally:
        workshop.leave(reader)
        workshop.close()


def test_no_more_batches_are_made_at_once_than_there_are_threads() -> None:
    lock, now, most = threading.Lock(), 0, 0
    workshop = Workshop(2)

    def make(step: int, _: int) -> list[pa.RecordBatch]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1
        return [pa.record_batch({"step": [step]})]

    def call(_: int) -> None:
        reader = workshop.open(make, ((step, 0) for step in range(5)), item_bytes=1, bound=2)
        for step in range(5):
            reader.take(step, 0)
            workshop.wake()
        workshop.leave(reader)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(call, range(8)))
    workshop.close()
    assert most == 2


def test_calls_for_one_step_are_bounded_as_those_for_many(serve: Serve) -> None:
    """They are made by the threads of gRPC, of which there are as many as calls."""
    offer, lock, now, most = offered(), threading.Lock(), 0, 0
    service, records = serve(offer, threads=2), offer.records

    def counting(*what: Any) -> Any:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        return records(*what)

    offer.records = counting  # type: ignore[assignment, method-assign]

    def client(step: int) -> None:
        with flight.FlightClient(service.address, generic_options=[("grpc.use_local_subchannel_pool", 1)]) as own:
            get(own, StepTicket(offer.digest, step))

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(client, range(16)))
    assert most == 2


def test_a_fault_while_making_reaches_the_client_without_its_text(serve: Serve, caplog: Any) -> None:
    """pyarrow sends the traceback of whatever is raised that is no FlightError, with paths of the server's."""
    offer = offered()
    service = serve(offer)
    offer.records = lambda begin, end, asked: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    with flight.FlightClient(service.address) as client:
        for ticket in (StepTicket(offer.digest, 0), RangeTicket(offer.digest, 0, 4)):
            with pytest.raises(flight.FlightInternalError) as caught:
                get(client, ticket)
            assert str(caught.value).startswith("internal: the server failed; its log says why")
            for secret in ("Traceback", ".py", "ZeroDivision", "division"):
                assert secret not in str(caught.value)
    assert "ZeroDivisionError" in caplog.text


def test_a_closed_service_is_freed() -> None:
    """apache/arrow#50684, #50687: before version 26 a server object is never freed, nor what it refers to, which is
    little here; from then on neither may be kept by a cycle of ours."""
    service = Service(offered(), ServePlace())
    with flight.FlightClient(service.address) as client:
        get(client, RangeTicket(service.offer.digest, 0, 3))
    kept = weakref.ref(service.offer), weakref.ref(service._workshop)
    server, threads = weakref.ref(service.server), set(threading.enumerate())
    service.close(0.0)
    assert not {one for one in threads if one.is_alive() and one.name.startswith(("maker-", "lookout", "web", "end"))}
    gc.disable()  # what is freed without it is in no cycle
    try:
        del service
        assert [one() for one in kept] == [None, None]
        if int(pa.__version__.split(".")[0]) >= 26:
            assert server() is None
    finally:
        gc.enable()


def test_ending_does_not_wait_for_a_client_that_does_not_read(serve: Serve) -> None:
    """gRPC's shutdown waits for every call that runs, for ever."""
    offer = offered(pictures(64, (3, 64, 64)), batch=32)
    service = serve(offer, limits=Limits(stall=600))
    with flight.FlightClient(service.address) as client:
        reader = client.do_get(flight.Ticket(RangeTicket(offer.digest, 0, 10_000).encode()))
        while not any(one.idle_since for one in service.server.answers):
            time.sleep(0.001)
        began = time.monotonic()
        service.close(0.1)
        assert time.monotonic() - began < 8
        with pytest.raises((flight.FlightError, pa.ArrowException)):
            reader.read_all()


def test_a_call_that_reads_is_drained_to_its_end_and_new_ones_are_refused(serve: Serve) -> None:
    offer = offered(pictures(64, (3, 64, 64)), batch=32)
    service = serve(offer)
    with flight.FlightClient(service.address) as client:
        reader = client.do_get(flight.Ticket(RangeTicket(offer.digest, 0, 40).encode()))
        reader.read_chunk()
        ending = threading.Thread(target=service.close, args=(20.0,))
        ending.start()
        while not service.server.draining:
            time.sleep(0.001)
        with pytest.raises(flight.FlightUnavailableError, match="draining: "):
            get(client, StepTicket(offer.digest, 0))
        assert sum(1 for _ in reader) == 39
        ending.join(20)
        assert not ending.is_alive()


def test_a_call_longer_than_the_patience_ends_at_a_batchs_edge(serve: Serve) -> None:
    offer = offered()
    service = serve(offer)
    with flight.FlightClient(service.address) as client:
        reader = client.do_get(flight.Ticket(RangeTicket(offer.digest, 0, 1 << 20).encode()))
        reader.read_chunk()
        ending = threading.Thread(target=service.close, args=(0.0,))
        ending.start()
        with pytest.raises(flight.FlightUnavailableError, match=r"draining: .* from [0-9]+ on"):
            for _ in reader:
                pass
        ending.join(20)
        assert not ending.is_alive()


@pytest.mark.slow
def test_many_streams_at_once_do_not_lock_each_other_out(serve: Serve) -> None:
    """apache/arrow#40004: generator streams have deadlocked on the interpreter's lock."""
    service = serve(offered(pictures(600, (1, 28, 28)), batch=32))

    def client(number: int) -> int:
        with flight.FlightClient(service.address) as own:
            return sum(len(get(own, RangeTicket(service.offer.digest, number, number + 40))) for _ in range(5))

    with ThreadPoolExecutor(48) as clients:
        assert set(clients.map(client, range(96), timeout=100)) == {200}
    assert service.server.budget.held == (0, 0, 0)
