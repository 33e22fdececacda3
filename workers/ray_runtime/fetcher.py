"""The fetcher actor: gets the data, once for the whole cluster. It imports no more than that takes: all others wait."""

from millrace.datasets import Dataset, Reading, find, load

# Seconds for the download. One that stands still is ended by limits of its own (`datasets.limits`), however large the
# data is: this only ends a wait that Ray leaves open.
FETCH = 86400.0


class FetcherActor:
    """Downloads a dataset once for the whole cluster; its result lies in shared memory once per node."""

    def fetch(self, dataset: str, reading: Reading, mirror: str | None, offline: bool) -> Dataset:
        """The dataset, from this node's cache or the network."""
        return load(find(dataset, reading), mirror=mirror, offline=offline)
