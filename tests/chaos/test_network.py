"""A slow link holds to its rate: measured by bytes through a socket of Python's own."""

import subprocess
import sys

import pytest

from tests.chaos import network
from tests.chaos.driver import ROOT

pytestmark = pytest.mark.slow

BYTES, EACH_SECOND = 1 << 19, 1_000_000
MEASURE = f"""
import socket, threading, time
from tests.chaos import network

def seconds():
    ours = socket.create_connection(place.getsockname())
    begun = time.monotonic()
    threading.Thread(target=lambda: (ours.sendall(bytes({BYTES})), ours.close()), daemon=True).start()
    theirs = place.accept()[0]
    while theirs.recv(1 << 16):
        pass
    return time.monotonic() - begun

assert network.limits() == ""
place = socket.create_server((network.ADDRESS, 0))
print(seconds())
with network.slow(network.RATES["dsl"]):
    print(seconds())
print(seconds())
"""


def test_a_slow_link() -> None:
    words, environment = network.command([sys.executable, "-c", MEASURE])
    if environment[network.NETWORK] != network.OWN:
        pytest.skip(environment[network.NETWORK])
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    before, slow, after = map(float, done.stdout.split())
    assert slow > 0.8 * BYTES / EACH_SECOND
    assert max(before, after) < slow / 2


def test_where_there_is_none_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SPACES", ("no-such-program",))
    words, environment = network.command(["true"])
    assert words == ["true"]
    assert "no-such-program" in environment[network.NETWORK]
    monkeypatch.setenv(network.NETWORK, environment[network.NETWORK])
    assert "no-such-program" in network.limits()
