"""Bytes in flight: what a call may hold is granted when it begins, within limits for one client and for all."""

import threading
from collections import Counter
from dataclasses import dataclass

from millrace.errors import UsageError
from millrace.service.ticket import BUSY, TOO_LARGE, Refused


@dataclass(frozen=True)
class Limits:
    """What a server takes upon itself, for one connection and for all.

    client_bytes, all_bytes: of batches that are made and not sent; client_calls, all_calls: that are answered at once;
    share_bytes: of batches that are kept for other clients, on top of these; connections: that may be open; stall:
    seconds after which a client that does not read is cut."""

    client_bytes: int = 64 << 20
    all_bytes: int = 512 << 20
    client_calls: int = 16
    all_calls: int = 512
    connections: int = 1024
    stall: float = 60.0
    share_bytes: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.client_bytes <= self.all_bytes:
            raise UsageError(
                "one client may have more in flight than all clients together",
                expected=f"{self.all_bytes / (1 << 20):g} MiB at most, what all may have",
                got=f"{self.client_bytes / (1 << 20):g} MiB",
                do="choose a smaller --client-memory, or a larger --memory",
            )
        if not 1 <= self.client_calls <= self.all_calls:
            what = "one client may have more calls than all clients together"
            raise UsageError(what, expected=f"1 to {self.all_calls}", got=self.client_calls)
        if not 0 < self.stall < float("inf"):
            do = "choose --stall in seconds"
            raise UsageError(
                "a client that does not read must be cut some day", expected="above 0 s", got=self.stall, do=do
            )


class Budget:
    """Who holds how much. A call that would not fit is refused at once: a queue would hold a thread for each."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._bytes: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()

    def grant(self, client: str, least: int, wanted: int) -> int:
        """The bytes that a call of a client may hold, `wanted` if they are there, `least` at any rate; to be given back
        by `give_back`. Errors: Refused, with the code too-large or busy."""
        limits = self.limits
        if least > limits.client_bytes:
            raise Refused(TOO_LARGE, f"one batch takes {least} bytes here, a client may hold {limits.client_bytes}")
        with self._lock:
            free = min(limits.client_bytes - self._bytes[client], limits.all_bytes - self._bytes.total())
            if self._calls[client] >= limits.client_calls or self._calls.total() >= limits.all_calls or free < least:
                raise Refused(BUSY, "as much as this server holds for its clients is in flight; ask again later")
            granted = max(least, min(wanted, free))
            self._bytes[client] += granted
            self._calls[client] += 1
        return granted

    def give_back(self, client: str, granted: int) -> None:
        """End a call that `grant` let in."""
        with self._lock:
            self._bytes[client] -= granted
            self._calls[client] -= 1
            if not self._calls[client]:
                del self._bytes[client], self._calls[client]

    @property
    def held(self) -> tuple[int, int, int]:
        """Clients, calls and bytes in flight."""
        with self._lock:
            return len(self._calls), self._calls.total(), self._bytes.total()
