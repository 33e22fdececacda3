"""The fetcher actor: gets the data, once for the whole cluster. It imports no more than that takes: all others wait."""

from millrace.datasets import Dataset, find, load

FETCH = 3600.0  # seconds for the download


class FetcherActor:
    """Downloads a dataset once for the whole cluster; its result lies in shared memory once per node."""

    def fetch(self, dataset: str, mirror: str | None, offline: bool) -> Dataset:
        """The dataset, from this node's cache or the network."""
        return load(find(dataset), mirror=mirror, offline=offline)
