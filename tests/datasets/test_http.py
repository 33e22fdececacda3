import socket
import time

import pytest
import requests

from millrace.datasets import limits
from millrace.datasets.http import Fault, Head, Transfer, cause
from tests.datasets import server as answers
from tests.datasets.server import Server

DATA = bytes(range(256)) * 2000


def get(url: str, seconds: float = 10) -> tuple[Head, bytes]:
    with Transfer(url, {}, time.monotonic() + seconds) as transfer:
        return transfer.head(), b"".join(transfer.chunks())


@pytest.mark.parametrize("answer", [answers.whole(DATA), answers.unsized(DATA), answers.chunked(DATA)])
def test_bodies_of_every_framing_arrive(server: Server, answer: answers.Answer) -> None:
    server.put("/a", answer)
    head, body = get(f"{server.url}/a")
    assert head.status == 200
    assert body == DATA


def test_what_is_sent_is_not_decoded(server: Server) -> None:
    server.put("/a", answers.whole(answers.gz(DATA), Content_Encoding="gzip"))
    assert get(f"{server.url}/a")[1] == answers.gz(DATA)


def test_statuses_are_not_faults(server: Server) -> None:
    head, body = get(f"{server.url}/none")
    assert (head.status, head.reason, body) == (404, "Not Found", b"")


def test_redirects_are_followed_relative_and_absolute(server: Server) -> None:
    server.put("/a", answers.status(302, Location="b?c"))
    server.put("/b?c", answers.status(307, Location=f"{server.url}/d"))
    server.put("/d", answers.whole(DATA))
    assert get(f"{server.url}/a")[1] == DATA


def test_redirects_have_an_end(server: Server) -> None:
    server.put("/a", answers.status(301, Location="/b"))
    server.put("/b", answers.status(301, Location="/a"))
    with pytest.raises(Fault, match="more than 5 redirects") as caught:
        get(f"{server.url}/a")
    assert not caught.value.passing
    assert len(server.seen) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_redirects_lead_to_http_only(server: Server, target: str) -> None:
    server.put("/a", answers.status(302, Location=target))
    with pytest.raises(Fault, match="which is not http"):
        get(f"{server.url}/a")


def test_no_redirect_from_https_to_http(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # A server with a certificate would need one of its own; only the scheme that was asked for is pretended.
    server.put("/a", answers.status(302, Location=f"{server.url}/b"))
    real = requests.Session.get
    monkeypatch.setattr(requests.Session, "get", lambda s, url, **k: real(s, url.replace("https:", "http:"), **k))
    with pytest.raises(Fault, match="from https to http"):
        get(f"{server.url}/a".replace("http:", "https:"))


def test_silence_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READ", 0.3)
    monkeypatch.setattr(limits, "WINDOW", 5)
    server.put("/a", answers.stalls(DATA, 1000))
    begin = time.monotonic()
    with pytest.raises(Fault, match=r"fell silent for 0.3 s|no bytes in time") as caught:
        get(f"{server.url}/a")
    assert caught.value.passing
    assert time.monotonic() - begin < 2


def test_a_drip_under_the_floor_ends_although_no_read_times_out(server: Server) -> None:
    server.put("/a", answers.drips(DATA, 0.02))
    begin = time.monotonic()
    with pytest.raises(Fault, match=r"too slow: \d+ bytes/s, the floor is 1000") as caught:
        get(f"{server.url}/a")
    assert not caught.value.passing
    assert time.monotonic() - begin < 2


def test_a_server_over_the_floor_is_left_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FLOOR", 1)
    monkeypatch.setattr(limits, "WINDOW", 0.3)  # one byte in it is above the floor, however busy the machine
    server.put("/a", answers.drips(DATA[:20], 0.02))
    assert get(f"{server.url}/a")[1] == DATA[:20]


def test_header_lines_without_end_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONNECT", 0.2)
    monkeypatch.setattr(limits, "READ", 0.3)
    server.put("/a", answers.drips_head(0.05))
    with pytest.raises(Fault, match="no answer within") as caught:
        get(f"{server.url}/a")
    assert caught.value.passing


def test_the_deadline_holds_over_all(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FLOOR", 0)
    server.put("/a", answers.drips(DATA, 0.01))
    with pytest.raises(Fault, match="deadline for this file is over"):
        get(f"{server.url}/a", seconds=0.3)
    with pytest.raises(Fault, match="deadline for this file is over"):
        get(f"{server.url}/a", seconds=-1)


def test_a_broken_chunk_is_a_passing_fault(server: Server) -> None:
    server.put("/a", answers.chunked(DATA, broken=True))
    with pytest.raises(Fault) as caught:
        get(f"{server.url}/a")
    assert caught.value.passing


def test_no_server_is_named_plainly() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Fault, match=r"^Connection refused$") as caught:
        get(f"http://127.0.0.1:{port}/a")
    assert caught.value.passing


def test_no_name_is_named_plainly() -> None:
    with pytest.raises(Fault, match=r"host\.invalid cannot be resolved"):
        get("http://host.invalid/a")


def test_rubbish_is_a_fault(server: Server) -> None:
    def rubbish(handler: answers.Handler) -> None:
        handler.wfile.write(b"SSH-2.0-server\r\n\r\n")
        handler.cut()

    server.put("/a", rubbish)
    with pytest.raises(Fault):
        get(f"{server.url}/a")


def test_other_errors_keep_their_words() -> None:
    assert cause(ValueError("odd")) == "odd"
    assert cause(ValueError()) == "ValueError"
    assert cause(ValueError("IncompleteRead(5 bytes read, 3 more expected)")) == "the connection broke after 5 bytes"
