"""The fetcher actor: gets the data, once for the whole cluster. It imports no more than that takes: all others wait."""

from millrace.datasets import Dataset, Reading, find, load
from millrace.workers.ray_runtime.handover import TableOffer, offered

# Seconds for the download. One that stands still is ended by limits of its own (`datasets.limits`), however large the
# data is: this only ends a wait that Ray leaves open.
FETCH = 86400.0


class FetcherActor:
    """Downloads a dataset once for the whole cluster; it lies in shared memory, or in a file, once per node."""

    def fetch(
        self, dataset: str, reading: Reading, mirror: str | None, offline: bool
    ) -> tuple[TableOffer, Dataset | None]:
        """The dataset, from this node's cache or the network: the two parts of a `Handover`."""
        return offered(load(find(dataset, reading), mirror=mirror, offline=offline))
