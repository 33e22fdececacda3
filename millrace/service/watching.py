"""A thread that looks after a server's connections: it cuts clients that do not read, and those that are too many."""

import logging
import threading
import time

from millrace.service.connections import connections, cut, tend
from millrace.service.figures import Figures
from millrace.service.server import FlightService

log = logging.getLogger("millrace.service")
EVERY = 5.0  # seconds between two looks at all connections
VANISHED = 60  # seconds after which a connection ends whose other side does not exist any more


class Lookout:
    """Looks until `close`. port, path: where the server listens. stall: seconds that a client may leave a batch unread;
    most: connections that may be open; of more, those without a call are cut, the oldest first."""

    def __init__(
        self, server: FlightService, figures: Figures, *, port: int | None, path: str | None, stall: float, most: int
    ) -> None:
        self._server, self._figures, self._where, self._stall, self._most = server, figures, (port, path), stall, most
        self._known: dict[str, None] = {}  # connections in the order in which they were seen first
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="lookout", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._thread.join(EVERY)

    def cut_stalled(self, stall: float) -> None:
        """Cut the connections of all answers whose last batch has been unread for so many seconds."""
        now = time.monotonic()
        late = {one.peer for one in self._server.answers if (since := one.idle_since) and now - since > stall}
        for peer in late:
            self._figures.was_cut(cut(peer, *self._where))

    def tend_all(self) -> None:
        """See which connections there are: set each new one's keepalive, cut what is too much."""
        found = dict.fromkeys(name for name, _ in self._tended())
        self._known = dict.fromkeys([name for name in self._known if name in found] + list(found))
        busy = {one.peer for one in self._server.answers}
        idle = [name for name in self._known if name not in busy]
        for name in idle[: max(0, len(self._known) - self._most)]:
            self._figures.was_cut(cut(name, *self._where))

    def _tended(self) -> list[tuple[str, None]]:
        names: list[tuple[str, None]] = []
        for name, found in connections(*self._where):
            if name not in self._known:
                tend(found, VANISHED)
            names.append((name, None))
        return names

    def _work(self) -> None:
        step, looked = min(self._stall / 4, 1.0), 0.0
        while not self._ending.wait(step):
            try:
                self.cut_stalled(self._stall)
                if time.monotonic() - looked > EVERY:
                    looked = time.monotonic()
                    self.tend_all()
            except Exception as error:  # without this thread nobody who does not read would be cut any more
                log.error("a look at the connections failed: %s", type(error).__name__, exc_info=error)
