"""The ways to a server: TLS, a Unix socket, endpoints that a server names; and servers of another kind."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import flight

import millrace
from millrace.errors import DeadlineError, ServiceError, UsageError
from millrace.pipeline import images_of
from millrace.service.client import link
from millrace.service.client.refusals import refused
from millrace.service.place import ServePlace, tls_from
from millrace.service.service import Service
from tests.service.conftest import BATCH, SEED, offered, pictures
from tests.service.test_place import TOKEN, certificate

Serve = Callable[..., Service]


def test_tls_with_a_token(serve: Serve, local: Any, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    service = serve(place=ServePlace(token=TOKEN, tls=tls_from(cert, key)))
    stream = millrace.connect(service.address, token=TOKEN, tls_roots=cert, patience=5)
    assert [batch.num_rows for batch in stream] == [batch.num_rows for batch in local]
    began = time.monotonic()
    for roots in (None, certificate(tmp_path, "other")[0]):  # nobody here vouches for that certificate
        with pytest.raises(ServiceError, match="is not trusted") as raised:
            millrace.connect(service.address, token=TOKEN, tls_roots=roots, patience=60)
        assert "self-signed" in str(raised.value)
        assert "tls_roots" in str(raised.value.do)
    with pytest.raises(ServiceError, match="does not speak TLS"):
        millrace.connect(serve().address.replace("grpc:", "grpc+tls:"), tls_roots=cert, patience=60)
    assert time.monotonic() - began < 20
    # The others of a list are asked first.
    several = [serve().address.replace("grpc:", "grpc+tls:"), service.address]
    assert len(millrace.connect(several, token=TOKEN, tls_roots=cert, patience=60)) == len(local)


def test_a_certificate_of_another_host_is_not_trusted(serve: Serve, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)  # for localhost and 127.0.0.1
    service = serve(place=ServePlace(host="127.0.0.2", token=TOKEN, tls=tls_from(cert, key)))
    with pytest.raises(ServiceError, match="is not trusted"):
        millrace.connect(service.address, token=TOKEN, tls_roots=cert, patience=60)


def test_a_unix_socket(serve: Serve, local: Any, tmp_path: Path) -> None:
    service = serve(place=ServePlace(unix=str(tmp_path / "socket")))
    assert service.address.startswith("grpc+unix://")
    assert millrace.connect(service.address, patience=5)[2].equals(local[2], check_metadata=True)


def test_what_a_server_names_is_asked_where_it_fails(serve: Serve, local: Any) -> None:
    second = serve()
    first = serve(place=ServePlace(endpoints=(second.address, "grpc://192.0.2.1:1")))
    stream = millrace.connect(first.address, patience=10)
    running = iter(stream)
    assert next(running).equals(local[0])
    first.close(0.0)
    assert [batch.num_rows for batch in running] == [local[step].num_rows for step in range(1, len(local))]
    assert stream[5].equals(local[5])
    assert second.figures.requests


def test_servers_that_come_later_are_learnt_while_it_reads(
    serve: Serve, local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet changes: who was named first may be gone when the last one that is known fails."""
    first, second, third = serve(), serve(), serve()
    first.server.name([first.address, "grpc://192.0.2.1:1"])
    second.server.name([second.address, third.address])
    third.server.name([third.address])
    stream = millrace.connect(first.address, patience=10, threads=0)
    monkeypatch.setattr(link, "LEARN", 0.0)
    source: Any = stream._source
    source.link._learn_at = 0.0  # a minute has passed
    first.server.name([first.address, second.address])
    assert stream[0].equals(local[0])
    first.close(0.0)
    assert stream[1].equals(local[1])
    second.close(0.0)
    assert stream[2].equals(local[2])
    assert third.figures.requests == 1
    assert source.link.place.addresses == (first.address, third.address)
    third.server.name([])  # as one that has just been started, and was told of nobody yet
    assert stream[3].equals(local[3])
    assert source.link.place.addresses == (first.address, third.address)


def test_a_machine_that_says_nothing_costs_no_call_where_there_are_others(
    serve: Serve, local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "CONNECT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # which connects and does not answer
        nobody = f"grpc://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        stream = millrace.connect([nobody, serve().address], patience=20)
        assert stream[3].equals(local[3])
    assert time.monotonic() - began < 3


def test_steps_that_are_not_served_are_said(serve: Serve) -> None:
    stream = millrace.connect(serve(offered(epochs=1)).address, patience=5)
    assert stream[len(stream) - 1].num_rows
    with pytest.raises(UsageError, match="no such rows"):
        _ = stream[len(stream)]


class Told(flight.FlightServerBase):  # type: ignore[misc]
    """Says of itself what it is given."""

    def __init__(self, told: Any) -> None:
        super().__init__("grpc://127.0.0.1:0")
        self.told, self.ended = told, threading.Event()

    def do_action(self, context: Any, action: Any) -> list[bytes]:
        return [self.told if isinstance(self.told, bytes) else json.dumps(self.told).encode()]

    def do_get(self, context: Any, ticket: Any) -> Any:
        """The step after the one that was asked for; or nothing, where it is told to hang."""
        if isinstance(self.told, dict) and self.told.get("hangs"):
            self.ended.wait(30)
        asked = json.loads(ticket.ticket)
        step = asked.get("from", asked.get("step"))
        offer = offered()
        batch = offer.record(step + 1, offer.asked(offered_ticket(offer.digest, step + 1)))
        return flight.GeneratorStream(offer.schema, iter([(batch, b'{"step":%d}' % (step + 1))]))


def offered_ticket(digest: str, step: int) -> Any:
    from millrace.service.ticket import StepTicket

    return StepTicket(digest, step)


@pytest.fixture
def told() -> Iterator[Callable[[Any], str]]:
    running: list[Told] = []

    def start(what: Any) -> str:
        running.append(Told(what))
        return f"grpc://127.0.0.1:{running[-1].port}"

    yield start
    for server in running:
        server.ended.set()
        server.shutdown()


def description(serve: Serve) -> dict[str, Any]:
    with flight.FlightClient(serve().address) as client:
        [answer] = client.do_action("describe", flight.FlightCallOptions(timeout=10))
    return dict(json.loads(answer.body.to_pybytes()))


def test_servers_of_another_kind_are_refused_by_name(serve: Serve, told: Callable[[Any], str]) -> None:
    right = description(serve)
    for what, word in (
        (b"hello", "no server of Millrace"),
        ([1], "no server of Millrace"),
        ({"release": "9.0"}, "no server of Millrace"),
        ({**right, "millrace": 2, "release": "9.0"}, "newer version"),
        ({**right, "shape": 7}, "not understood"),
        ({**right, "steps_per_epoch": 99}, "not understood"),
        ({**right, "stream": "0" * 64}, "another stream"),
    ):
        with pytest.raises(ServiceError, match=word) as raised:
            millrace.connect(told(what), patience=1)
        assert "9.0" in str(raised.value) or word != "newer version"
    assert millrace.connect(told({**right, "release": "0.0.1", "new": 1}), patience=1).samples == right["samples"]


def test_another_batch_than_was_asked_for_is_never_taken(serve: Serve, told: Callable[[Any], str]) -> None:
    stream = millrace.connect(told(description(serve)), patience=1)
    with pytest.raises(ServiceError, match="another batch") as raised:
        _ = stream[2]
    assert f"step 2, {BATCH} rows" in str(raised.value)
    with pytest.raises(ServiceError, match="another batch"):
        next(iter(stream))


def test_no_call_is_without_a_deadline(
    serve: Serve, told: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """apache/arrow#44560, #36043: without one a client waits for ever for a server that hangs."""
    stream = millrace.connect(told({**description(serve), "hangs": True}), patience=0)
    monkeypatch.setattr(link, "CALL", 0.2)
    silent = socket.create_server(("127.0.0.1", 0))  # it takes connections, and says nothing
    with silent, pytest.raises(DeadlineError, match="no server answers"):
        millrace.connect(f"grpc://127.0.0.1:{silent.getsockname()[1]}", patience=0)
    asks: list[Callable[[], object]] = [lambda: stream[2], lambda: next(iter(stream)), lambda: stream.shard(0, 2)[1]]
    for ask in asks:
        began = time.monotonic()
        with pytest.raises(DeadlineError, match="no server answers"):
            ask()
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("code", ["bad-ticket", "too-large", "newer-version", "unauthenticated", "internal"])
def test_code_words_become_errors_and_others_are_worth_a_try(code: str) -> None:
    for text in (f"{code}: the reason. Detail: Failed. gRPC client debug context: UNKNOWN:x", f"{code}: the reason"):
        error = refused(flight.FlightServerError(text))
        assert isinstance(error, ServiceError)
        assert (error.what, error.got) == ("the server refuses: the reason", code)
        assert error.do
    for text in ("busy: later", "draining: bye", "Flight returned unavailable error, with message: failed to connect"):
        assert refused(flight.FlightUnavailableError(text)) is None


FORKED = """
import os, sys
import millrace
stream = millrace.connect(sys.argv[1], patience=5, threads=2)
running = iter(stream)
next(running)
child = os.fork()
if child == 0:
    told = 0
    for ask in (lambda: stream[0], lambda: next(running), lambda: next(iter(stream.numpy()))):
        try:
            ask()
        except millrace.UsageError as error:
            told += "spawn" in str(error)
    os._exit(told)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), next(running).num_rows)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_is_told_that_it_cannot_use_the_connection(serve: Serve) -> None:
    """It would wait for ever: gRPC does not survive a fork."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, serve().address], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["3", str(BATCH)]


@pytest.mark.slow
@pytest.mark.parametrize("patience", [0, 5])
def test_a_loop_that_pauses_longer_than_a_call_may_take_does_not_notice(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr(link, "CALL", 0.7)
    images = pictures(800, (1, 64, 64))  # more than gRPC receives ahead
    service = serve(offered(images))
    own = millrace.stream(images, batch=BATCH, seed=SEED, policy="digits", threads=0)
    stream = millrace.connect(service.address, patience=patience, threads=0)
    reading = stream._source.reading(range(100), 0, 1, 1 << 26)
    for step in range(100):
        assert np.array_equal(reading.rows(step, 0, 1).pixels, images_of(own[step]))
        if step in (0, 30):
            time.sleep(0.9)
    assert service.figures.requests >= 2


@pytest.mark.slow
def test_a_loop_that_is_slow_keeps_its_server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call brings many steps: that it runs into its deadline because nobody reads is no fault of the server's."""
    monkeypatch.setattr(link, "CALL", 2.0)
    images = pictures(800, (1, 64, 64))  # more than gRPC receives ahead
    first, second = serve(offered(images)), serve(offered(images))
    own = millrace.stream(images, batch=BATCH, seed=SEED, policy="digits", threads=0)
    stream = millrace.connect([first.address, second.address], patience=10, threads=0)
    reading = stream._source.reading(range(100), 0, 1, 1 << 26)
    for step in range(100):
        assert np.array_equal(reading.rows(step, 0, 1).pixels, images_of(own[step]))
        time.sleep({10: 1.2, 50: 2.5}.get(step, 0.0))  # more than half, and all, of what a call may take
    assert first.figures.requests >= 3
    assert not second.figures.requests


def test_each_server_is_asked_before_a_client_gives_up(serve: Serve, local: Any) -> None:
    """Also where it has no patience: the first one failed, which says nothing of the second."""
    first, second = serve(), serve()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"grpc://127.0.0.1:{taken.getsockname()[1]}"
    stream = millrace.connect([first.address, nobody, second.address], patience=0, threads=0)
    assert stream[1].equals(local[1])
    first.close(0.0)
    assert stream[2].equals(local[2])
    second.close(0.0)
    with pytest.raises(DeadlineError, match="no server answers"):
        _ = stream[3]
