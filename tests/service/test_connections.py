"""Clients that do not read, vanish or are too many: what they cost, and that they are cut."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from millrace.errors import UsageError
from millrace.service.budget import Limits
from millrace.service.connections import connections, peer_name, readable, tend
from millrace.service.figures import Figures
from millrace.service.place import ServePlace
from millrace.service.service import Service
from millrace.service.ticket import RangeTicket
from millrace.service.watching import Lookout
from tests.service.conftest import PATIENCE, action, get, offered, pictures

Serve = Callable[..., Service]
LARGE = pictures(64, (3, 64, 64))  # a batch of 32 has 393 kB, far more than gRPC takes ahead of a reader


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize(
    ("grpc", "address"),
    [
        ("ipv4:127.0.0.1:5", ("127.0.0.1", 5)),
        ("ipv6:%5B::1%5D:5", ("::1", 5)),
        ("ipv4:10.0.0.1:5", ("::ffff:10.0.0.1", 5)),
    ],
)
def test_a_peer_has_one_name(grpc: str, address: tuple[str, int]) -> None:
    assert readable(grpc) == peer_name(address)


def stalled(client: flight.FlightClient, service: Service, steps: int = 10_000) -> Any:
    """A call that has begun and is not read from."""
    reader = client.do_get(flight.Ticket(RangeTicket(service.offer.digest, 0, steps).encode()), PATIENCE)
    assert until(lambda: any(one.idle_since for one in service.server.answers))
    return reader


@pytest.mark.parametrize("unix", [False, True])
def test_who_does_not_read_is_cut_and_gives_all_back(serve: Serve, tmp_path: Path, unix: bool) -> None:
    """The server cannot cancel a call (apache/arrow#43819): without the cut thread and bytes are gone for ever."""
    place = ServePlace(unix=str(tmp_path / "s")) if unix else ServePlace()
    service = serve(offered(LARGE, batch=32), place, limits=Limits(4 << 20, 8 << 20, stall=0.3))
    with flight.FlightClient(service.address) as client, flight.FlightClient(service.address) as other:
        reader = stalled(client, service)
        clients, calls, held = service.server.budget.held
        assert (clients, calls) == (1, 1)
        assert held <= 4 << 20
        assert until(lambda: service.server.budget.held == (0, 0, 0))
        assert until(lambda: service.figures.cut >= 1)
        with pytest.raises((flight.FlightError, pa.ArrowException)):
            reader.read_all()
        if not unix:  # the clients of a Unix socket cannot be told apart; they connect again
            assert action(other, "health")["status"] == "serving"
    with flight.FlightClient(service.address) as again:
        assert len(get(again, RangeTicket(service.offer.digest, 0, 2))) == 2


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"client_bytes": 2 << 20, "all_bytes": 1 << 20}, ("more in flight", "1 MiB", "2 MiB", "--client-memory")),
        ({"client_calls": 600}, ("more calls", "1 to 512", "got:      600")),
        ({"stall": 0.0}, ("must be cut", "above 0 s")),
        ({"stall": float("nan")}, ("must be cut",)),
    ],
)
def test_limits_that_do_not_fit_are_told_one_by_one(chosen: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as raised:
        Limits(**chosen)
    assert all(word in str(raised.value) for word in words), str(raised.value)
    assert "Limits(" not in str(raised.value)


def test_who_leaves_gives_all_back(serve: Serve) -> None:
    service = serve(offered(LARGE, batch=32))
    with flight.FlightClient(service.address) as client:
        reader = stalled(client, service)
        reader.cancel()
        assert until(lambda: service.server.budget.held == (0, 0, 0))
        assert service.server.answers == []


def test_a_client_has_its_limit_and_the_next_client_its_own(serve: Serve) -> None:
    service = serve(offered(LARGE, batch=32), limits=Limits(4 << 20, 6 << 20))
    with flight.FlightClient(service.address) as client, flight.FlightClient(service.address) as other:
        open_calls = [stalled(client, service)]
        with pytest.raises(flight.FlightUnavailableError, match="busy: "):
            get(client, RangeTicket(service.offer.digest, 0, 3))
        assert len(get(other, RangeTicket(service.offer.digest, 0, 3))) == 3
        open_calls.append(stalled(other, service))
        with flight.FlightClient(service.address) as third, pytest.raises(flight.FlightUnavailableError, match="busy"):
            get(third, RangeTicket(service.offer.digest, 0, 3))
        for call in open_calls:
            call.cancel()
        assert until(lambda: service.server.budget.held == (0, 0, 0))


def test_a_batch_larger_than_a_clients_limit_is_refused(serve: Serve) -> None:
    service = serve(offered(LARGE, batch=32), limits=Limits(1 << 20, 6 << 20))
    with flight.FlightClient(service.address) as client, pytest.raises(flight.FlightServerError, match="too-large: "):
        get(client, RangeTicket(service.offer.digest, 0, 3))


def test_connections_that_say_nothing_are_bounded(serve: Serve) -> None:
    service = serve(limits=Limits(connections=3))
    port = service.server.port
    silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(8)]
    with flight.FlightClient(service.address) as client:
        assert until(lambda: len(list(connections(port))) >= 8)
        service.tend()
        assert until(lambda: len(list(connections(port))) <= 3)
        assert action(client, "health")["status"] == "serving"
    for one in silent:
        one.close()


class Failing:
    """A server whose answers cannot be looked at the first time."""

    def __init__(self) -> None:
        self.looks = 0

    @property
    def answers(self) -> list[Any]:
        self.looks += 1
        if self.looks == 1:
            raise OSError("too many open files")
        return []


def test_the_lookout_outlives_a_look_that_failed(caplog: Any) -> None:
    """It is the one that cuts clients which do not read: without it a few of them would take all calls for ever."""
    server: Any = Failing()
    lookout = Lookout(server, Figures(), port=1, path=None, stall=0.01, most=1)
    try:
        assert until(lambda: server.looks >= 3)
    finally:
        lookout.close()
    assert "OSError" in caplog.text


def test_a_connection_that_ends_while_it_is_tended_is_left() -> None:
    with socket.socket() as one:
        tend(one, 1 << 20)  # more than the system takes
        closed = one.dup()
    closed.close()
    tend(closed, 60)


def test_a_connection_whose_other_side_vanished_ends_by_keepalive(serve: Serve) -> None:
    service = serve()
    with flight.FlightClient(service.address) as client:
        action(client, "health")
        service.tend()
        kept = [
            found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) for _, found in connections(service.server.port)
        ]
        assert kept
        assert all(kept)
