"""What a server counts while it serves: requests, rows, bytes, time per stage, refusals, and the rate of late."""

import threading
import time
from collections import Counter, deque
from typing import Any

WINDOW = 10.0  # seconds that the rate is taken over


class Figures:
    """Counters that all calls add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self.requests = self.batches = self.rows = self.bytes = self.cut = 0
        self.step = 0  # of the batch handed out last
        self.making = self.writing = 0.0  # seconds that answers waited for a batch, and for gRPC to write it
        self.refusals: Counter[str] = Counter()
        self._late: deque[tuple[float, int]] = deque()  # (when, rows handed out by then)

    def asked(self) -> None:
        """A ticket was let in."""
        with self._lock:
            self.requests += 1

    def refused(self, code: str) -> None:
        """A call was refused, with this code."""
        with self._lock:
            self.refusals[code] += 1

    def was_cut(self, connections: int) -> None:
        """So many connections were cut."""
        with self._lock:
            self.cut += connections

    def handed(self, step: int, rows: int, size: int, waited: float, wrote: float) -> None:
        """The batch of a step went out; seconds that it was waited for, and that the one before took to write."""
        with self._lock:
            self.step = step
            self.batches += 1
            self.rows += rows
            self.bytes += size
            self.making += waited
            self.writing += wrote
            now = time.monotonic()
            if not self._late or now - self._late[-1][0] > 0.1:
                self._late.append((now, self.rows))
            while now - self._late[0][0] > WINDOW and len(self._late) > 2:
                self._late.popleft()

    @property
    def rate(self) -> float:
        """Rows per second over the last seconds."""
        with self._lock:
            now = time.monotonic()
            since = [(when, rows) for when, rows in self._late if now - when <= WINDOW]
            if not since:
                return 0.0
            return (self.rows - since[0][1]) / max(now - since[0][0], 0.1)

    @property
    def uptime(self) -> float:
        """Seconds since the server began."""
        return time.monotonic() - self._began

    def snapshot(self) -> dict[str, Any]:
        """All of it, as plain values."""
        rate = self.rate
        with self._lock:
            return {
                "uptime": round(self.uptime, 3),
                "requests": self.requests,
                "batches": self.batches,
                "rows": self.rows,
                "bytes": self.bytes,
                "step": self.step,
                "rows_per_second": round(rate, 1),
                "seconds": {"making": round(self.making, 6), "writing": round(self.writing, 6)},
                "refusals": dict(self.refusals),
                "cut": self.cut,
            }
