"""A service that runs: the Flight server with all that stands around it, from its start to the last client's leave."""

import contextlib
import errno
import os
import socket
import threading
import time
from http import HTTPStatus
from pathlib import Path

import pyarrow as pa
from pyarrow import flight

from millrace.cores import cores
from millrace.errors import DeadlineError, MillraceError
from millrace.service.budget import Limits
from millrace.service.figures import Figures
from millrace.service.memory import resident
from millrace.service.metrics import CONTENT_TYPE, prometheus_text
from millrace.service.offer import Offer
from millrace.service.place import ServePlace
from millrace.service.server import FlightService
from millrace.service.share import Share
from millrace.service.watching import Lookout
from millrace.service.web import Answered, Page, WebServer
from millrace.service.workshop import Workshop

ANSWERS = 10.0  # seconds in which a server that has started must answer itself
GRACE = 1.0  # seconds for an answer to come to a batch's edge
ENDS = 5.0  # seconds in which gRPC must end once all calls have ended

LIMITS = Limits()


class Service:
    """Serves an offer at a place from the moment it is made until `close`.

    threads: that make batches (default: one a core). metrics: host and port of the status page and of Prometheus'
    figures; None: neither. Errors: MillraceError where the place cannot be had; UsageError for a
    share that one batch does not fit in; as `Offer.prepare`."""

    web: WebServer | None = None

    def __init__(
        self,
        offer: Offer,
        place: ServePlace,
        *,
        limits: Limits = LIMITS,
        threads: int | None = None,
        metrics: tuple[str, int] | None = None,
    ) -> None:
        self.offer, self.place, self.figures = offer, place, Figures()
        _free(place)
        offer.prepare()
        share, self._workshop = Share(offer, limits.share_bytes), Workshop(threads or cores())
        try:
            self.server = FlightService(
                place.address(),
                offer,
                share=share,
                workshop=self._workshop,
                limits=limits,
                figures=self.figures,
                token=place.token,
                tls=place.tls,
                endpoints=place.endpoints,
            )
        except (pa.ArrowException, OSError) as error:
            self._workshop.close()
            raise MillraceError(f"the service cannot listen at {place.address()}", do="choose another place") from error
        port = self.server.port if place.unix is None else None
        self.address = place.address(port)
        self._lookout = Lookout(
            self.server, self.figures, port=port, path=place.unix, stall=limits.stall, most=limits.connections
        )
        self._closed = False
        try:
            if metrics is not None:
                self.web = WebServer(*metrics, self._pages, place)
        except MillraceError:
            self.close(0.0)
            raise

    @property
    def _pages(self) -> dict[str, Page]:
        return {
            "/": Page(self._status, secret=True),
            "/metrics": Page(self._metrics),
            "/healthz": Page(self._ready, open=True),
            "/livez": Page(self._alive, open=True),
        }

    def _status(self) -> Answered:
        from millrace.service.status import status_page  # which needs the extra `pictures`

        own = self.place.called(socket.gethostname()).address(self.server.port)
        address = next(iter(self.server.endpoints), own)  # what a client elsewhere pastes
        shown = status_page(self.offer, address, self.server.stats(), secured=self.place.token is not None)
        return HTTPStatus.OK, "text/html", shown

    def _metrics(self) -> Answered:
        stats = {**self.server.stats(), "resident_bytes": resident()}
        return HTTPStatus.OK, CONTENT_TYPE, prometheus_text(stats, self.offer.describe())

    def _ready(self) -> Answered:
        if self.server.draining:
            return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", "draining\n"
        return HTTPStatus.OK, "text/plain", "serving\n"

    def _alive(self) -> Answered:
        """By a call of the protocol's own: a server that is stuck does not answer it."""
        self.check()
        return HTTPStatus.OK, "text/plain", "alive\n"

    def check(self) -> None:
        """Ask the server for its health, as a client would. Errors: DeadlineError."""
        options = {} if self.place.tls is None else {"disable_server_verification": True}
        headers = [] if self.place.token is None else [(b"authorization", f"Bearer {self.place.token}".encode())]
        try:
            with flight.FlightClient(self.address, **options) as client:
                asked = flight.FlightCallOptions(timeout=ANSWERS, headers=headers)
                list(client.do_action(flight.Action("health", b""), asked))
        except (flight.FlightError, pa.ArrowException, OSError) as error:
            raise DeadlineError("the service does not answer", expected=f"within {ANSWERS:g} s") from error

    def close(self, patience: float = 10.0) -> None:
        """Let nobody in any more; have the answers that run end within about `patience` seconds, at a batch's edge, and
        cut those that do not; then end."""
        if self._closed:
            return
        self._closed = True
        self.server.drain()
        until = time.monotonic() + patience
        self._wait(until)
        self.server.interrupt()
        self._wait(until + GRACE)
        self._lookout.cut_stalled(0.0)
        if self.web is not None:  # its pages ask the server
            self.web.close()
        ending = threading.Thread(target=self.server.end, name="end", daemon=True)
        ending.start()
        ending.join(ENDS)
        self._lookout.close()
        self._workshop.close()
        if self.place.unix is not None:
            Path(self.place.unix).unlink(missing_ok=True)

    def tend(self) -> None:
        """Look after the connections now; it is done by itself every few seconds."""
        self._lookout.tend_all()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.close(0.0)

    def _wait(self, until: float) -> None:
        while self.server.answers and time.monotonic() < until:
            time.sleep(0.02)


def _free(place: ServePlace) -> None:
    """See whether the place is free, before gRPC tries: it writes to stderr of what it cannot have."""
    if place.unix is not None:
        return _free_path(Path(place.unix))
    try:
        found = socket.getaddrinfo(place.host.strip("[]"), place.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, where in found[:1]:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
    except OSError as error:
        what = f"the service cannot listen at {place.address()}"
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        do = "choose another --port, or 0 for any that is free" if taken else "choose another --host, of this machine"
        raise MillraceError(what, got=error.strerror, do=do) from error
    return None


def _free_path(path: Path) -> None:
    """A socket that nobody listens at is what a killed server left."""
    if not os.access(path.parent, os.W_OK | os.X_OK):
        got = "Permission denied" if path.parent.is_dir() else "No such folder"
        raise MillraceError(f"the service cannot listen at {path}", got=got, do="choose another --unix")
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(FileNotFoundError):
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            if not path.is_socket():
                what = f"the service cannot listen at {path}"
                raise MillraceError(what, expected="a path that is free", got="a file") from None
            path.unlink()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                got = error.strerror or str(error)  # a path that is too long has no number of the system's
                raise MillraceError(f"the service cannot listen at {path}", got=got) from error
        else:
            raise MillraceError(f"another server listens at {path}", do="choose another --unix")
