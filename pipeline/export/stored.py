"""The stored stream: batches read from an export, in its order, instead of computed."""

import numpy as np
import numpy.typing as npt

from millrace.datasets import images, labels
from millrace.datasets.exported import ExportedDataset
from millrace.pipeline.balance import Balance
from millrace.pipeline.policy import from_mapping
from millrace.pipeline.stream import Stream
from millrace.pipeline.visited import Visited


class StoredStream(Stream):
    """The stream that an export was written from, read back: the same ids, pixels and parameters at every position of
    every epoch that it holds. Nothing is drawn and nothing permuted."""

    def __init__(
        self, dataset: ExportedDataset, *, batch: int, slot_size: int | None = None, drop_last: bool = False
    ) -> None:
        chosen, size = dataset.manifest.configuration, dataset.manifest.splits["train"]
        super().__init__(
            images(dataset.train),
            labels(dataset.train),
            np.arange(size.per_epoch, dtype=np.int64),
            policy=from_mapping(chosen["policy"]),
            seed=chosen["seed"],
            batch=batch,
            slot_size=slot_size,
            digest=dataset.digest,
            drop_last=drop_last,
        )
        self.order.epochs, self._reader = size.epochs, dataset.reader
        if "sampled" in dataset.manifest.dataset:
            counts = np.array(dataset.manifest.dataset["sampled"], np.int64)
            self.order.balance = Balance(counts, chosen["seed"])

    def samples(self, step: int, slot: int) -> npt.NDArray[np.int64]:
        """The sample ids of a slot, as stored: those of the dataset that was exported."""
        return self.rows(self.order.epoch(step), *self.order.span(step, slot)).samples

    def rows(self, epoch: int, first: int, last: int, out: npt.NDArray[np.uint8] | None = None) -> Visited:
        """Positions [first, last) of an epoch, as stored. Errors: UsageError beyond the last epoch."""
        self.order.check_epochs(epoch + 1)
        if first == last:  # a rank without rows; the reader gives at least one
            one = self.rows(epoch, 0, 1)
            return Visited(one.samples[:0], one.labels[:0], one.pixels[:0], one.parameters[:0])
        begin = epoch * self.order.samples
        rows = self._reader.rows("train", begin + first, begin + last)
        return Visited(rows.samples, rows.labels, np.ascontiguousarray(rows.images), rows.parameters)
