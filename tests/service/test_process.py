"""`millrace serve` as a process of its own: its start, its end, and that it outlives bad clients."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import flight

from millrace.service.ticket import RangeTicket, StepTicket
from tests.service.client.processes import Served
from tests.service.conftest import action, get

pytestmark = [pytest.mark.slow]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    with contextlib.ExitStack() as running:

        def start(*flags: str, dataset: str = "digits", **also: Any) -> Served:
            return running.enter_context(Served(tmp_path, dataset, *flags, cwd=tmp_path, **also))

        yield start


def test_it_answers_when_its_file_is_there_and_drains_on_sigterm(run: Any) -> None:
    served = run("--batch", "32")
    with flight.FlightClient(served.address) as client:
        digest = action(client, "describe")["stream"]
        reader = client.do_get(flight.Ticket(RangeTicket(digest, 0, 2000).encode()))
        reader.read_chunk()
        assert served.ready.read_text() == f"{served.address}\n"
        served.send(signal.SIGTERM)
        assert sum(1 for _ in reader) == 1999
    assert served.wait() == 0
    assert not served.ready.exists()  # what it says is not so any more
    assert digest in served.said
    assert "draining" in served.said


def test_ctrl_c_ends_it_as_a_shell_expects(run: Any) -> None:
    assert run().kill(signal.SIGINT) == 130


def test_a_killed_server_is_followed_by_one_with_the_same_bits_on_the_same_port(run: Any) -> None:
    first = run("--batch", "32")
    with flight.FlightClient(first.address) as client:
        digest = action(client, "describe")["stream"]
        before = get(client, StepTicket(digest, 70))
    first.kill()
    assert first.ready.exists()  # it had no time to take it away
    second = run("--batch", "32", port=first.port)
    with flight.FlightClient(second.address) as client:
        assert get(client, StepTicket(digest, 70))[0][0].equals(before[0][0])


def test_fuzzed_tickets_and_noise_on_the_port_do_no_harm(run: Any) -> None:
    served = run()
    port = int(served.address.rpartition(":")[2])
    with flight.FlightClient(served.address) as client:
        digest = action(client, "describe")["stream"]

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.binary(max_size=100) | st.dictionaries(
            st.sampled_from(["millrace", "stream", "step", "rows", "from", "to", "rank", "world", "x"]),
            st.sampled_from([1, 2, -1, 1 << 61, digest, None, True, [0, 1], {}, 3.5, "é"]),
        ).map(lambda asked: json.dumps(asked).encode()))  # fmt: skip
        def asked(text: bytes) -> None:
            try:
                for _, (_, _) in zip(range(3), iter_chunks(client, text), strict=False):
                    pass
            except flight.FlightServerError as error:
                assert str(error).partition(":")[0] in (  # noqa: PT017
                    "bad-ticket", "newer-version", "other-stream", "out-of-range", "too-large",
                )  # fmt: skip
                assert "Traceback" not in str(error)  # noqa: PT017

        asked()
        for noise in (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            os.urandom(4096),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(500),
        ):
            with socket.create_connection(("127.0.0.1", port), 5) as one:
                one.sendall(noise)
        assert action(client, "health")["status"] == "serving"
    assert served.kill(signal.SIGTERM) == 0


def iter_chunks(client: flight.FlightClient, text: bytes) -> Iterator[tuple[Any, Any]]:
    reader = client.do_get(flight.Ticket(text), flight.FlightCallOptions(timeout=20))
    for chunk in reader:
        yield chunk.data, chunk.app_metadata


def test_two_hundred_clients_at_once(run: Any) -> None:
    served = run("--batch", "32")
    with flight.FlightClient(served.address) as client:
        digest = action(client, "describe")["stream"]

    def ask(number: int) -> int:
        options = flight.FlightCallOptions(timeout=60)
        with flight.FlightClient(served.address, generic_options=[("grpc.use_local_subchannel_pool", 1)]) as own:
            ticket = flight.Ticket(RangeTicket(digest, number, number + 3).encode())
            return int(own.do_get(ticket, options).read_all().num_rows)

    before, threads, after = served.memory(), served.status("Threads"), []
    for burst in (1, 2):
        with ThreadPoolExecutor(200) as clients:
            assert min(clients.map(ask, range(200), timeout=110)) >= 80
        with flight.FlightClient(served.address) as client:
            assert action(client, "stats")["requests"] == burst * 200
        # gRPC starts a thread for each call, and glibc keeps what is freed in the arena of each: here they go, and what
        # the first burst took is enough for the next.
        until = time.monotonic() + 30
        while served.status("Threads") > threads + 8 and time.monotonic() < until:
            time.sleep(0.05)
        assert served.status("Threads") <= threads + 8
        after.append(served.memory())
    assert after[0] - before < 48 << 20
    assert after[1] - after[0] < 16 << 20
    assert served.kill(signal.SIGTERM) == 0


LARGE = """
import numpy as np
images = np.arange(256 * 3 * 128 * 128, dtype=np.uint32).astype(np.uint8).reshape(256, 3, 128, 128)
np.savez("large.npz", train_images=images, train_labels=np.arange(256, dtype=np.uint8) % 2,
         test_images=images[:4], test_labels=np.zeros(4, np.uint8))
"""


def test_memory_stays_within_its_bound_with_clients_that_do_not_read(run: Any, tmp_path: Path) -> None:
    """30 clients that each may hold 16 MiB, 64 MiB in all: most are told that the server is busy."""
    subprocess.run([sys.executable, "-c", LARGE], cwd=tmp_path, check=True, timeout=60)
    (tmp_path / "large.yaml").write_text(
        "name: large\nformat: npz\nclasses: [a, b]\npolicy: digits\nfiles: [{name: large.npz}]\n"
    )
    flags = ("--batch", "64", "--client-memory", "16", "--memory", "64", "--stall", "600", "--drain", "0")
    served = run(*flags, dataset="large.yaml")
    options = [("grpc.use_local_subchannel_pool", 1)]
    with flight.FlightClient(served.address) as client:
        digest = action(client, "describe")["stream"]
        get(client, RangeTicket(digest, 0, 20))
        time.sleep(0.5)
        before, clients, refused = served.memory(), [], 0
        for _ in range(30):
            clients.append(own := flight.FlightClient(served.address, generic_options=options))
            try:
                reader = own.do_get(flight.Ticket(RangeTicket(digest, 0, 1 << 20).encode()))
                reader.read_chunk()
                clients.append(reader)
            except flight.FlightUnavailableError as error:
                refused += str(error).startswith("busy: ")
        time.sleep(2)
        stats = action(client, "stats")
        assert refused >= 20
        assert stats["bytes_in_flight"] <= 64 << 20
        # Beside what is granted, the sockets' own buffers and what threads need.
        assert served.memory() - before < (64 << 20) + (48 << 20)
    assert served.kill(signal.SIGTERM) == 0
