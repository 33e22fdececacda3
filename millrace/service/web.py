"""A port of its own for people and for Prometheus: the status page, the figures, health. Read only.

Who may see what. Of this machine: everything, the page with pictures only with the token, where there is one. Of
others: health, which says one word. Where there are a token and TLS, also the figures, which name no client and show no
data, so that no scraper needs the token that opens the data; and the page, with the token. It is HTTPS then, or the
token would cross the network for all to read.
"""

import base64
import binascii
import contextlib
import hmac
import logging
import socket
import socketserver
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from millrace.errors import MillraceError
from millrace.service.address import is_everywhere, is_loopback
from millrace.service.place import ServePlace

log = logging.getLogger("millrace.service")
AT_ONCE = 16  # requests; of more, the connection is closed
PATIENCE = 5.0  # seconds for a client to say what it wants
MOST = 30.0  # seconds for a whole request: who says a letter now and then has no place for ever
REFRESH = 5  # seconds after which a browser asks for the page again
Answered = tuple[HTTPStatus, str, str]  # status, content type, text


@dataclass(frozen=True)
class Page:
    """What gives a page. open: to everybody; secret: it shows data, so it asks for the token."""

    give: Callable[[], Answered]
    open: bool = False
    secret: bool = False


class WebServer(ThreadingHTTPServer):
    """Answers GET from the moment it is made until `close`. pages: by their paths. place: of the service, whose token
    secret pages ask for (as the password of a browser, or a bearer's), and whose certificate is shown where others
    reach `host`. Errors: MillraceError where the port is taken."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, host: str, port: int, pages: Mapping[str, Page], place: ServePlace) -> None:
        self.pages, self.token = pages, place.token
        self._tls = None if place.tls is None or is_loopback(host) else _context(place.tls)
        self.guarded = self._tls is not None and self.token is not None  # so others may be let in
        self._begun: dict[socket.socket, float] = {}  # the requests that run, by their sockets (monotonic seconds)
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host.strip("[]"), port), _Handler)
        except OSError as error:
            what = f"the metrics cannot be served at {host}:{port}"
            raise MillraceError(what, got=error.strerror, do="choose another --metrics-port") from error
        self._host = host
        self.address = self._address(host)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.2,), name="web", daemon=True)
        self._thread.start()

    def called(self, name: str) -> str:
        """The address by a name that others can connect to, where it is every address of this machine."""
        return self._address(name if is_everywhere(self._host) else self._host)

    def _address(self, host: str) -> str:
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http{'' if self._tls is None else 's'}://{shown}:{self.server_address[1]}"

    def server_bind(self) -> None:
        """Without asking the network for this machine's name, which may take seconds and is not used."""
        socketserver.TCPServer.server_bind(self)

    def close(self) -> None:
        """End; requests that run are not waited for."""
        self.shutdown()
        self.server_close()
        self._thread.join(PATIENCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, of which there are so many at most."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be had
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One request, and its room given back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Encrypted, where it is to be: in the request's own thread, since a client may be slow to shake hands."""
        request.settimeout(PATIENCE)
        if self._tls is not None:
            request = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        self._begun[request] = time.monotonic()
        try:
            if self._tls is not None:
                request.do_handshake()
            super().finish_request(request, client_address)
        finally:
            del self._begun[request]
            if self._tls is not None:  # else whoever called closes it
                request.close()

    def service_actions(self) -> None:
        """Called every now and then: end the requests that take too long."""
        for request, begun in list(self._begun.items()):
            if time.monotonic() - begun > MOST:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(request, socket.SHUT_RDWR)  # also under TLS, which would shake hands first

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is nothing to write about."""
        log.debug("a request failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: WebServer
    timeout = PATIENCE
    server_version, sys_version = "millrace", ""

    def do_GET(self) -> None:
        """The page of the path."""
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", f"there are {', '.join(self.server.pages)}\n")
        elif not (page.open or self.server.guarded or is_loopback(str(self.client_address[0]).partition("%")[0])):
            self._send(HTTPStatus.FORBIDDEN, "text/plain", "this page is for its own machine: see docs/service.md\n")
        elif page.secret and not self._let_in():
            self._send(HTTPStatus.UNAUTHORIZED, "text/plain", "this page asks for the token, as password\n")
        else:
            try:
                status, kind, text = page.give()
            except Exception as error:
                log.error("a page failed: %s", type(error).__name__, exc_info=error)
                self._send(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", "the server failed; its log says why\n")
            else:
                self._send(status, kind, text)

    def _let_in(self) -> bool:
        if self.server.token is None:
            return True
        kind, _, sent = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            try:
                sent = base64.b64decode(sent, validate=True).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return False
        return hmac.compare_digest(sent.encode(), self.server.token.encode())

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if "charset" not in kind else kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="millrace", charset="UTF-8"')
        if kind.startswith("text/html"):
            self.send_header("Refresh", str(REFRESH))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are not logged: they may carry the token."""


def _context(tls: tuple[bytes, bytes]) -> ssl.SSLContext:
    """For a certificate and its key, which `ssl` takes from files alone: in a folder that nobody else can read, for as
    long as it reads them."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "certificate", Path(folder) / "key"
        certificate.write_bytes(tls[0])
        key.write_bytes(tls[1])
        context.load_cert_chain(certificate, key)
    return context
