"""A port of its own for people and for Prometheus: the status page, the figures, health. Plain HTTP, read only."""

import base64
import binascii
import contextlib
import hmac
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from millrace.errors import MillraceError

log = logging.getLogger("millrace.service")
AT_ONCE = 16  # requests; of more, the connection is closed
PATIENCE = 5.0  # seconds for a client to say what it wants
REFRESH = 5  # seconds after which a browser asks for the page again
SECRET = ("/",)  # shows pictures of the data

Page = Callable[[], tuple[HTTPStatus, str, str]]


class WebServer(ThreadingHTTPServer):
    """Answers GET from the moment it is made until `close`. pages: path → what gives its status, content type and text.
    token: what `/` asks for (as the password of a browser, or a bearer's); None: nothing.
    Errors: MillraceError where the port is taken."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, host: str, port: int, pages: Mapping[str, Page], token: str | None = None) -> None:
        self.pages, self.token = pages, token
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host.strip("[]"), port), _Handler)
        except OSError as error:
            what = f"the metrics cannot be served at {host}:{port}"
            raise MillraceError(what, got=error.strerror, do="choose another --metrics-port") from error
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.2,), name="web", daemon=True)
        self._thread.start()

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
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One request, and its room given back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is nothing to write about."""
        log.debug("a request failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: WebServer
    timeout = PATIENCE
    server_version, sys_version = "millrace", ""

    def do_GET(self) -> None:
        """The page of the path."""
        path = self.path.partition("?")[0]
        if path not in self.server.pages:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", f"there are {', '.join(self.server.pages)}\n")
        elif path in SECRET and not self._let_in():
            self._send(HTTPStatus.UNAUTHORIZED, "text/plain", "this page asks for the token, as password\n")
        else:
            try:
                status, kind, text = self.server.pages[path]()
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
