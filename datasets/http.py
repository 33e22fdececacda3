"""One HTTP answer, read by a thread of its own, so that no server decides how long the caller waits.

Socket time-outs start again with every byte: a server that sends one header byte a second, or a name
server that does not answer, would hold up the caller for hours. Here the caller waits on a queue,
with deadlines of its own, and leaves the thread behind if it must; the thread writes nowhere.
"""

import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import requests

from millrace.datasets import limits
from millrace.datasets.mirrors import shown

CHUNK = 1 << 18
_QUEUED = 8


class Fault(Exception):
    """Why an address did not give its file.

    `passing`: another attempt may help, `after` seconds from now. `missing`: nothing lies there.
    """

    def __init__(self, reason: str, *, passing: bool = False, after: float = 0.0, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.passing, self.after, self.missing = reason, passing, after, missing

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Head:
    """Status and headers (names in lower case) of the last answer, after redirects."""

    status: int
    reason: str
    headers: Mapping[str, str]


class Transfer:
    """GET of one URL. Call `head` once, then iterate over `chunks`; close, or use `with`.

    `until`: the time (`time.monotonic`) at which any wait ends in a Fault. See `limits` for the others.
    """

    def __init__(self, url: str, headers: Mapping[str, str], until: float) -> None:
        self._url, self._headers, self._until = url, dict(headers), until
        self._items: queue.Queue[Head | bytes | Fault] = queue.Queue(_QUEUED)
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="download", daemon=True).start()

    def __enter__(self) -> "Transfer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()

    def head(self) -> Head:
        """The answer's head; a Fault if it does not come in time."""
        seconds = limits.CONNECT + limits.READ
        item = self._next(time.monotonic() + seconds)
        if not isinstance(item, Head):
            raise Fault(f"no answer within {seconds:g} s", passing=True)
        return item

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes; a Fault for silence, a pace under the floor, or the deadline."""
        begin, received = time.monotonic(), 0
        while True:
            ends = begin + limits.WINDOW
            silent = time.monotonic() + limits.READ
            item = self._next(min(ends, silent))
            now = time.monotonic()
            if item == b"":
                return
            if isinstance(item, bytes):
                received += len(item)
                yield item
            elif now >= silent:
                raise Fault(f"it fell silent for {limits.READ:g} s", passing=True)
            if now >= ends:
                rate = received / (now - begin)
                if rate < limits.FLOOR:
                    raise Fault(f"too slow: {rate:.0f} bytes/s, the floor is {limits.FLOOR:.0f}")
                begin, received = now, 0

    def _next(self, until: float) -> Head | bytes | None:
        """What the thread brings next; None if nothing comes until then."""
        wait = min(until, self._until) - time.monotonic()
        try:
            item = self._items.get(timeout=max(wait, 0.0)) if time.monotonic() < self._until else None
        except queue.Empty:
            item = None
        if item is None and time.monotonic() >= self._until:
            raise Fault("the deadline for this file is over")
        if isinstance(item, Fault):
            raise item
        return item

    # The rest runs in the thread.

    def _put(self, item: Head | bytes | Fault) -> None:
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def _run(self) -> None:
        try:
            with requests.Session() as session, self._follow(session) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                self._put(Head(response.status_code, response.reason or "", names))
                while not self._stopped.is_set():
                    data = response.raw.read1(CHUNK, decode_content=False)
                    self._put(data)
                    if not data:
                        break
        except Fault as fault:
            self._put(fault)
        except Exception as error:
            # Whatever it is, the caller must learn of it: nothing else watches this thread.
            self._put(Fault(cause(error), passing=not isinstance(error, requests.exceptions.SSLError)))

    def _follow(self, session: requests.Session) -> requests.Response:
        url = self._url
        for _ in range(limits.REDIRECTS + 1):
            response = session.get(
                url,
                headers=self._headers,
                stream=True,
                allow_redirects=False,
                timeout=(limits.CONNECT, limits.READ),
            )
            if not response.is_redirect:
                return response
            target = urljoin(url, response.headers["location"])
            response.close()
            was, becomes = urlsplit(url).scheme.lower(), urlsplit(target).scheme.lower()
            if becomes not in ("http", "https"):
                raise Fault(f"it redirects to {shown(target)}, which is not http")
            if was == "https" and becomes == "http":
                raise Fault(f"it redirects from https to http: {shown(target)}")
            url = target
        raise Fault(f"more than {limits.REDIRECTS} redirects")


def cause(error: Exception) -> str:
    """What a network error says at its core, without the names of pools and objects."""
    text = str(error)
    if found := re.search(r"Failed to resolve '([^']+)'|Name or service not known", text):
        return f"the name {found[1] or 'of the host'} cannot be resolved (no network?)"
    if found := re.search(r"IncompleteRead\((\d+) bytes read", text):
        return f"the connection broke after {found[1]} bytes"
    if "onnect timeout" in text or "ConnectTimeout" in text:
        return "no connection in time"
    if "timed out" in text:
        return "no bytes in time"
    if found := re.search(r"\[Errno \d+\] ([^'\")]+)", text):
        return found[1]
    return text[:200] or type(error).__name__
