"""What the terminal shows of a server: one line that redraws itself, and nothing where nobody looks."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from rich.status import Status

from millrace.commands.screen import Screen
from millrace.reports.words import counted, duration, size
from millrace.service.address import is_everywhere, is_loopback
from millrace.service.offer import Offer


class ServiceDisplay:
    """Shows clients and rate while it is entered."""

    def __init__(self, screen: Screen) -> None:
        self._status = Status("waiting for clients", console=screen.console) if screen.live else None
        self._screen, self._last = screen, {"clients": 0, "cut": 0}

    def __enter__(self) -> "ServiceDisplay":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, stats: Mapping[str, Any]) -> None:
        """The figures as they are now; a client that was cut is noted once."""
        if stats["cut"] > self._last["cut"]:
            count = stats["cut"] - self._last["cut"]
            self._screen.note(f"{counted(count, 'connection')} cut: its client did not read, or there were too many")
        self._last = dict(stats)
        if self._status is not None:
            self._status.update(line(stats))


def say_ready(screen: Screen, offer: Offer, addresses: Sequence[str], pages: Mapping[str, str]) -> None:
    """Where the servers are that answer, and their status pages, by address."""
    screen.facts(
        *(("at", address) for address in addresses), *(("status", shown_page(page, at)) for at, page in pages.items())
    )
    screen.record(ready=True, address=addresses[0], stream=offer.digest, status=pages.get(addresses[0]))


def shown_page(page: str, address: str) -> str:
    """A page's address; of one that its machine alone reaches, also which machine that is."""
    machine = urlsplit(address).hostname or "localhost"
    elsewhere = is_loopback(urlsplit(page).hostname or "") and not is_loopback(machine) and not is_everywhere(machine)
    return f"{page} on {machine}" if elsewhere else page


def line(stats: Mapping[str, Any]) -> str:
    """Clients, rate and what was served, on one line."""
    refused = sum(stats["refusals"].values())
    parts = [
        counted(stats["clients"], "client"),
        f"{stats['rows_per_second']:,.0f} images/s",
        f"{stats['rows']:,} served, {size(stats['bytes'])}",
        *([f"{counted(refused, 'call')} refused"] if refused else []),
        f"up {duration(stats['uptime'])}",
    ]
    return " · ".join(parts)
