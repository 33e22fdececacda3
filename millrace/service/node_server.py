"""One server of a fleet: started at its node, told who the others are, drained at the end."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millrace.datasets import Dataset
from millrace.datasets.exported import ExportedDataset, read_manifest
from millrace.errors import MillraceError
from millrace.loading.source import Choice, StreamSource
from millrace.service.budget import Limits
from millrace.service.memory import settle
from millrace.service.offer import Offer
from millrace.service.place import ServePlace
from millrace.service.service import Service


@dataclass(frozen=True)
class ServeTerms:
    """What all servers of a fleet have in common: the choice and epochs of an `Offer`, and a `Service`'s limits,
    threads and metrics. endpoints: servers of the stream that are none of the fleet's."""

    choice: Choice
    epochs: int | None
    limits: Limits
    threads: int | None
    metrics: tuple[str, int] | None
    endpoints: tuple[str, ...] = ()


class NodeServer:
    """Serves a dataset's stream from one node, in a process of its own, from `start` to `drain`. It knows the others by
    their addresses alone, and nothing of what runs the fleet."""

    def __init__(self, dataset: Dataset, terms: ServeTerms) -> None:
        self._dataset, self._terms = dataset, terms
        self._lock, self._draining = threading.Lock(), False
        self._service: Service | None = None  # once it answers

    def start(self, place: ServePlace, named: str) -> tuple[str, str | None]:
        """Serve at a place; once a call was answered, the address for clients and that of the status page.

        named: what clients call this node by, where it listens at all of its addresses. Errors: MillraceError where the
        place cannot be had, this node does not see the export that is served, or it was drained meanwhile;
        DeadlineError."""
        settle()
        _seen(self._dataset)
        terms = self._terms
        offer = Offer(StreamSource(self._dataset, terms.choice), terms.epochs)
        service = Service(offer, place, limits=terms.limits, threads=terms.threads, metrics=terms.metrics)
        try:
            service.check()
        except MillraceError:
            service.close(0.0)
            raise
        self._endpoint = place.called(named).address(service.server.port)
        with self._lock:
            self._service, drained = service, self._draining
        if drained:
            service.close(0.0)
            raise MillraceError("the server was drained before it served")
        self.tend(place.endpoints)
        return self._endpoint, None if service.web is None else service.web.called(named)

    def tend(self, endpoints: Sequence[str]) -> Mapping[str, Any]:
        """Name the servers of the fleet to clients, this one first; what the action `stats` answers."""
        if self._service is None:  # `start` has not answered yet
            return {}
        server = self._service.server
        server.name(tuple(dict.fromkeys((self._endpoint, *endpoints, *self._terms.endpoints))))
        return server.stats()

    def drain(self, patience: float) -> None:
        """End, as `Service.close`; by any thread, also before `start` has answered, which fails then."""
        with self._lock:
            self._draining, service = True, self._service
        if service is not None:
            service.close(patience)


def summed(stats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of several servers as those of one; `uptime` is that of the oldest."""
    refusals: Counter[str] = Counter()
    for one in stats:
        refusals.update(one["refusals"])
    added = ("clients", "rows_per_second", "rows", "bytes", "cut")
    total = {name: sum(one[name] for one in stats) for name in added}
    return {**total, "refusals": dict(refusals), "uptime": max((one["uptime"] for one in stats), default=0.0)}


def _seen(dataset: Dataset) -> None:
    """Later epochs of an export are read from its folder, which must be the same one here."""
    if isinstance(dataset, ExportedDataset):
        folder = dataset.reader.folder
        found = read_manifest(folder)
        if found is None or found.digest != dataset.manifest.digest:
            raise MillraceError(
                f"this node does not see the export in {folder.location}",
                expected="a folder that all nodes share, or an address such as s3://bucket/export",
                got="no export there" if found is None else "another export there",
            )
