"""Servers that are killed in mid-epoch: not one batch is lost, repeated or changed."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import millrace
from millrace.errors import DeadlineError, ServiceError
from tests.service.client.processes import Served, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
CHOSEN: dict[str, Any] = {"batch": 32, "seed": 5, "policy": "digits"}
WORDS = ("digits", "--batch", "32", "--seed", "5", "--policy", "digits")


def same(batch: Any, own: Any) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(batch, own, strict=True))


@pytest.fixture(scope="module")
def local() -> Any:
    return millrace.stream("digits", **CHOSEN)


def test_a_server_is_killed_twice_and_started_again_in_mid_epoch(tmp_path: Path, local: Any) -> None:
    with Served(tmp_path, *WORDS) as server:
        stream = millrace.connect(server.address, read_ahead=0.05, patience=60)  # calls of a few steps: some are cut
        assert stream.state()["stream"] == local.state()["stream"]
        columns = ["image", "label", "sample"]
        ours, own = iter(stream.numpy(3, columns=columns)), iter(local.numpy(3, columns=columns))
        steps = 3 * len(local)
        for step in range(steps):
            if step in (steps // 4, steps // 2):
                server.kill()
                threading.Timer(0.5, server.launch).start()  # while the loop waits for it
            assert same(next(ours), next(own)), f"step {step}"
        assert next(ours, None) is None
        assert stream.step == local.step == steps


def test_a_server_that_ends_by_itself_is_followed_by_another(tmp_path: Path, local: Any) -> None:
    """Two servers of one stream: each is killed once and drained once while all batches come."""
    with Served(tmp_path, *WORDS) as first, Served(tmp_path, *WORDS) as second:
        stream = millrace.connect([first.address, second.address], read_ahead=0.1, patience=30)
        deeds: dict[int, Callable[[], object]] = {
            5: first.kill,
            40: first.start,
            60: lambda: second.kill(signal.SIGTERM),
            80: second.start,
        }
        columns = ["image", "sample"]
        pairs = zip(stream.numpy(2, columns=columns), local.at(0).numpy(2, columns=columns), strict=True)
        slowest = 0.0
        for step, (ours, own) in enumerate(pairs):
            if step in deeds:
                deeds[step]()
            began = time.monotonic()
            assert same(ours, own), f"step {step}"
            slowest = max(slowest, time.monotonic() - began)


def test_another_stream_behind_the_address_is_refused_by_both_digests(tmp_path: Path) -> None:
    port = free_port()
    with Served(tmp_path, *WORDS, port=port) as server:
        stream = millrace.connect(server.address, patience=30)
        assert stream[0].num_rows == 32
    with Served(tmp_path, *WORDS[:-1], "none", port=port) as other:
        ours, hers = stream._source.digest, millrace.connect(other.address)._source.digest  # type: ignore[attr-defined]
        asks: list[Callable[[], object]] = [lambda: stream[1], lambda: next(iter(stream))]
        for ask in asks:
            with pytest.raises(ServiceError) as raised:
                ask()
            assert ours in str(raised.value)
            assert hers in str(raised.value)


def test_patience_ends(tmp_path: Path) -> None:
    with Served(tmp_path, *WORDS) as server:
        stream = millrace.connect(server.address, patience=1, read_ahead=0.05)
        running = iter(stream.arrow(20))  # far more than one call brings before the server is gone
        next(running)
        server.kill()
        began = time.monotonic()
        with pytest.raises(DeadlineError, match="no server answers"):
            list(running)
        assert 0.5 < time.monotonic() - began < 10  # a thread that reads ahead may have begun to wait before
