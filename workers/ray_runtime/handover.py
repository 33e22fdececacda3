"""How a table reaches the processes of a cluster: by a node's object store, or as a file that they map.

Each process decides for itself, from the table's size and its node's store: where a fifth of the store would not stay
free, it maps the table's file, on the node that hands it over from the user's cache, elsewhere a copy (`carriers.py`).
It imports little: the fetcher begins with it.
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import ray

from millrace.datasets import Dataset, TableFiles
from millrace.workers.ray_runtime.carriers import CarrierSource

SPARE = 5  # one of so many parts of a store stays free, for batches and weights
SLOWEST = 10e6  # bytes per second of a network that is worth waiting for
MAPPED = "table mapped from a file"  # the kind of the incident that says so
MIB = 1 << 20


class TableOffer(NamedTuple):
    """What processes know of a table before they take it. nbytes: in memory; node: that hands it over; shared: whether
    it lies in that node's object store; files: where else it lies."""

    nbytes: int
    node: str
    shared: bool
    files: TableFiles


class Handover(NamedTuple):
    """References to a `TableOffer`, and to the dataset itself, which is None where the offer is not shared."""

    offer: Any
    table: Any


def offered(dataset: Dataset) -> tuple[TableOffer, Dataset | None]:
    """What this process hands over, to be put into its node's object store; it is written to files if it must be.

    Errors: DataError for a disk that is full or may not be written."""
    nbytes, node = int(dataset.train.nbytes + dataset.test.nbytes), this_node()
    if fits(nbytes, stores().get(node, 0)):
        return TableOffer(nbytes, node, True, TableFiles.of(dataset)), dataset
    return TableOffer(nbytes, node, False, TableFiles.written(dataset)), None


def received(handover: Handover, seconds: float) -> Dataset:
    """The dataset, in this process. seconds: for the offer to come, and beyond what a slow network takes
    for the table, for the object store's part of it.

    Errors: those of what was to fetch it, of `TableFiles.copied`, of Ray."""
    offer: TableOffer = ray.get(handover.offer, timeout=seconds)
    node, known = this_node(), stores()
    if not by_file(offer, known.get(node, 0)):
        return ray.get(handover.table, timeout=seconds + offer.nbytes / SLOWEST)  # type: ignore[no-any-return]
    if node == offer.node:
        return offer.files.mapped()
    sizes = known.get(offer.node, 0), known.get(node, 0)
    with closing(CarrierSource(offer.files, handover.table, offer.node, sizes)) as source:
        return offer.files.copied(source)


def fits(nbytes: int, store: int) -> bool:
    """Whether a table fits an object store, and leaves a fifth of it free."""
    return nbytes * SPARE <= store * (SPARE - 1)


def by_file(offer: TableOffer, store: int) -> bool:
    """Whether processes of a node with such a store map the table from a file."""
    return not offer.shared or not fits(offer.nbytes, store)


def patience(offer: TableOffer) -> float:
    """Seconds by which all that waits for a process to begin waits longer: for the table to come to another node, into
    its object store or as a copy."""
    return offer.nbytes / SLOWEST if stores().keys() - {offer.node} else 0.0


class MappedNodes:
    """Which nodes map the table, each said once."""

    def __init__(self, offer: TableOffer) -> None:
        self._offer = offer
        self._seen: set[str] = {""}

    def fresh(self, nodes: Iterable[str]) -> list[tuple[str, str, str]]:
        """Of these nodes, on which the run has processes, those that map it and were not named yet: the dataset, the
        node, why."""
        new = sorted(set(nodes) - self._seen)
        if not new:
            return []
        self._seen.update(new)
        name, known = self._offer.files.dataset.spec.name, stores()
        mapping = [node for node in new if node in known and by_file(self._offer, known[node])]
        return [(name, node, self._why(node, known)) for node in mapping]

    def _why(self, node: str, known: Mapping[str, int]) -> str:
        offer, whose, store = self._offer, "its object store", known[node]
        if fits(offer.nbytes, store):
            whose, store = f"the object store of node {offer.node[:8]}, which hands it over,", known.get(offer.node, 0)
        what = "the file" if node == offer.node else "a copy of the file"
        return (
            f"{offer.nbytes / MIB:.0f} MiB do not fit {whose} of {store / MIB:.0f} MiB, of which a fifth stays free: "
            f"every process there maps {what}"
        )


def this_node() -> str:
    """The id of the node that this process runs on."""
    return str(ray.get_runtime_context().get_node_id())


def stores() -> dict[str, int]:
    """Bytes of the object store of each node that is alive."""
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return {
        str(node["NodeID"]): int(node["Resources"].get("object_store_memory", 0)) for node in found if node["Alive"]
    }
