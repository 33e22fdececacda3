"""What is seen of a server: Prometheus' figures by its own parser, the status page, and the page in a browser."""

import base64
import http.client
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from pyarrow import flight

from millrace.commands.serve_display import line
from millrace.errors import MillraceError
from millrace.service import web
from millrace.service.metrics import prometheus_text
from millrace.service.place import ServePlace, tls_from
from millrace.service.service import Service
from millrace.service.ticket import RangeTicket, StepTicket
from millrace.service.web import AT_ONCE
from tests.service.conftest import BATCH, get, offered, pictures
from tests.service.test_place import certificate

Serve = Callable[..., Service]
ANY = ("127.0.0.1", 0)
TOKEN = "0123456789abcdef-secret"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def fetch(service: Service, path: str, **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    assert service.web is not None
    connection = http.client.HTTPConnection(urlsplit(service.web.address).netloc, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def figures(text: str) -> dict[str, float]:
    parser = pytest.importorskip("prometheus_client.parser")
    return {
        sample.name + "".join(sample.labels.get(key, "") for key in ("stage", "code")): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_the_figures(serve: Serve) -> None:
    service = serve(metrics=ANY)
    with flight.FlightClient(service.address) as client:
        found = get(client, RangeTicket(service.offer.digest, 0, 5))
        with pytest.raises(flight.FlightServerError):
            get(client, StepTicket("0" * 64, 0))
    status, text, headers = fetch(service, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    known = figures(text)
    assert known["millrace_requests_total"] == 1
    assert known["millrace_batches_total"] == 5
    assert known["millrace_rows_total"] == 5 * BATCH
    assert known["millrace_bytes_total"] == sum(batch.nbytes for batch, _ in found)
    assert known["millrace_refusals_totalother-stream"] == 1
    assert known["millrace_stage_seconds_totalmaking"] > 0
    assert known["millrace_resident_bytes"] > 10 << 20
    assert known["millrace_info"] == 1


def test_labels_are_escaped() -> None:
    stats = dict.fromkeys(("requests", "batches", "rows", "bytes", "cut", "clients", "calls", "bytes_in_flight"), 0)
    more = {"rows_per_second": 0, "uptime": 0, "resident_bytes": 0, "seconds": {}, "refusals": {}}
    described = {"release": "1", "stream": "s", "dataset": 'a "b"\\c\nd', "split": "train", "batch": 1, "seed": 0}
    parser = pytest.importorskip("prometheus_client.parser")
    families = parser.text_string_to_metric_families(prometheus_text(stats | more, described))
    [info] = [family for family in families if family.name == "millrace_info"]
    assert info.samples[0].labels["dataset"] == 'a "b"\\c\nd'


def test_probes_and_pages_that_are_not_there(serve: Serve) -> None:
    service = serve(metrics=ANY)
    assert fetch(service, "/healthz")[:2] == (200, "serving\n")
    assert fetch(service, "/../etc/passwd")[0] == 404
    service.server.drain()
    assert fetch(service, "/healthz")[:2] == (503, "draining\n")
    assert fetch(service, "/livez")[:2] == (200, "alive\n")  # it need not be killed
    with pytest.raises(MillraceError, match="metrics cannot be served"):
        serve(metrics=("127.0.0.1", int(urlsplit(service.web.address).port or 0)) if service.web else None)


class Closed(HTMLParser):
    """Keeps count of tags that must be closed; no picture is without words, nothing comes from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures = 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert tag != "script"
        assert str(found.get("src", found.get("href", "data:"))).startswith("data:")
        self.pictures += tag == "img" and bool(found.get("alt"))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_says_what_is_served_and_shows_the_step(serve: Serve) -> None:
    service = serve(offered(pictures(50, (3, 9, 8))), metrics=ANY)
    with flight.FlightClient(service.address) as client:
        get(client, StepTicket(service.offer.digest, 17))
    status, text, headers = fetch(service, "/")
    assert status == 200
    assert headers["Refresh"] == "5"  # live, without a script
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert Closed(text).pictures == BATCH
    for said in ("Step 17", service.offer.digest, f"connect(&quot;{service.address}&quot;)", "50 samples", "8 rows"):
        assert said in text


def test_the_page_asks_for_the_token_where_there_is_one(serve: Serve) -> None:
    service = serve(place=ServePlace(token=TOKEN), metrics=ANY)
    assert fetch(service, "/metrics")[0] == fetch(service, "/healthz")[0] == 200
    status, text, headers = fetch(service, "/")
    assert (status, headers["WWW-Authenticate"][:5]) == (401, "Basic")
    assert "img" not in text
    for sent in ("Bearer x", "Basic x", "Basic " + base64.b64encode(b"me:wrong").decode(), "Basic é"):
        assert fetch(service, "/", Authorization=sent.encode().decode("latin-1"))[0] == 401
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    assert fetch(service, "/", Authorization=f"Basic {basic}")[0] == 200
    assert TOKEN not in fetch(service, "/", Authorization=f"Bearer {TOKEN}")[1]


def test_no_page_is_asked_for_when_the_service_has_let_go_of_what_it_serves(serve: Serve) -> None:
    service, answered = serve(metrics=ANY), list[bool]()
    assert service.web is not None
    where, end = (ANY[0], urlsplit(service.web.address).port or 0), service.server.end

    def ending() -> None:
        with socket.socket() as one:
            answered.append(one.connect_ex(where) == 0)
        end()

    service.server.end = ending  # type: ignore[method-assign]
    service.close(0.0)
    assert answered == [False]


def test_the_lines_to_paste_are_for_clients_elsewhere(serve: Serve, tmp_path: Path) -> None:
    place = ServePlace("0.0.0.0", token=TOKEN, tls=tls_from(*certificate(tmp_path)))
    service = serve(place=place, metrics=ANY)
    bearer = f"Bearer {TOKEN}"
    text = fetch(service, "/", Authorization=bearer)[1]
    assert f"grpc+tls://{socket.gethostname()}:{service.server.port}" in text
    assert "0.0.0.0" not in text
    service.server.name(["grpc+tls://a:1"])
    assert "connect(&quot;grpc+tls://a:1&quot;" in fetch(service, "/", Authorization=bearer)[1]


@pytest.mark.parametrize("secured", [False, True])
def test_who_says_a_letter_now_and_then_has_no_place_for_ever(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secured: bool
) -> None:
    """16 of them would have kept Kubernetes' probes out, and it would have killed the server."""
    monkeypatch.setattr(web, "MOST", 0.3)
    if secured:
        own_address()
    place = ServePlace(token=TOKEN, tls=tls_from(*certificate(tmp_path))) if secured else ServePlace()
    service = serve(place=place, metrics=("0.0.0.0", 0) if secured else ANY)
    assert service.web is not None
    with socket.create_connection(("127.0.0.1", urlsplit(service.web.address).port or 0), 5) as drip:
        drip.settimeout(0.05)
        began, ended = time.monotonic(), False
        while not ended and time.monotonic() - began < 10:
            try:
                drip.sendall(b"\x16" if secured else b"G")
                ended = drip.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
    assert time.monotonic() - began < 3


def own_address() -> str:
    """An address of this machine that is no loopback's: who connects to it is another peer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # nothing is sent
            found = str(probe.getsockname()[0])
        except OSError:
            found = "127.0.0.1"
    if found.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    return found


def asked(service: Service, host: str, path: str, token: str | None = None, roots: str | None = None) -> int:
    assert service.web is not None
    parts = urlsplit(service.web.address)
    assert parts.port is not None
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=roots)
        context.check_hostname = False  # it is made out for localhost
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=20, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=20)
    connection.request("GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


PATHS = ("/", "/metrics", "/healthz", "/livez")


@pytest.mark.parametrize("token", [None, TOKEN])
def test_other_machines_see_health_alone_where_nothing_is_encrypted(serve: Serve, token: str | None) -> None:
    """Pictures of the data and what is served were for everybody on the network; a token would be too."""
    other, service = own_address(), serve(place=ServePlace(token=token), metrics=("0.0.0.0", 0))
    assert [asked(service, "127.0.0.1", path, token) for path in PATHS] == [200] * 4
    assert [asked(service, other, path, token) for path in PATHS] == [403, 403, 200, 200]


def test_other_machines_see_all_with_token_and_tls(serve: Serve, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    place = ServePlace(token=TOKEN, tls=tls_from(cert, key))
    other, service = own_address(), serve(place=place, metrics=("0.0.0.0", 0))
    assert service.web is not None
    assert service.web.address.startswith("https://")
    for host in ("127.0.0.1", other):
        assert [asked(service, host, path, roots=cert) for path in PATHS] == [401, 200, 200, 200]
        assert asked(service, host, "/", TOKEN, roots=cert) == 200
    # Who does not shake hands does no harm.
    with socket.create_connection((other, urlsplit(service.web.address).port or 0), 5) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert asked(service, other, "/livez", roots=cert) == 200


def test_connections_that_say_nothing_hold_few_threads(serve: Serve) -> None:
    service = serve(metrics=ANY)
    assert service.web is not None
    where = (ANY[0], int(urlsplit(service.web.address).port or 0))
    before = threading.active_count()
    silent = [socket.create_connection(where, 5) for _ in range(3 * AT_ONCE)]
    silent[-1].settimeout(5)
    assert silent[-1].recv(1) == b""  # closed at once
    assert threading.active_count() - before <= AT_ONCE
    for one in silent:
        one.close()


def test_the_terminals_line() -> None:
    stats: dict[str, Any] = {"clients": 2, "rows_per_second": 12345.6, "rows": 7000, "bytes": 3 << 20, "uptime": 61}
    assert line(stats | {"refusals": {"busy": 1}}) == (
        "2 clients · 12,346 images/s · 7,000 served, 3.1 MB · 1 call refused · up 1 min 01 s"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1100, 1400), (390, 1800)])
def test_a_browser_shows_it_on_any_screen_in_light_and_dark(
    serve: Serve, tmp_path: Path, width: int, height: int
) -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium here")
    service = serve(offered(pictures(50, (3, 24, 24))), metrics=ANY)
    assert service.web is not None
    for scheme, paper in (("light", 200), ("dark", 60)):
        dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
        shot = tmp_path / f"{scheme}.png"
        done = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *dark),
                "--enable-logging=stderr",
                *(f"--screenshot={shot}", f"--window-size={width},{height}", service.web.address),
            ],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert "CONSOLE" not in done.stderr
        with Image.open(shot) as picture:
            pixels = np.asarray(picture.convert("L"))
        assert int(pixels[3, 3]) > paper if scheme == "light" else int(pixels[3, 3]) < paper
        assert np.ptp(pixels[:, : width // 2]) > 100  # something is drawn
        assert (pixels[:, -3:] == pixels[3, 3]).mean() > 0.98  # and nothing runs over the edge
