"""The source of an export: the rows of any shard, computed from the dataset as training computes them."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from millrace.datasets import Dataset, images, labels, split
from millrace.errors import UsageError
from millrace.formats.rows import SPLITS, Rows, joined
from millrace.labels import Labels
from millrace.pipeline.export.plan import ExportPlan, Shard
from millrace.pipeline.sampling import BALANCED
from millrace.pipeline.stream import Stream, augmented

Pixels = npt.NDArray[np.uint8]
UNTOUCHED = (0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)  # parameters of an image that stays as it is


class Source:
    """A pure function from shards to rows; safe in threads. The dataset must be the plan's."""

    def __init__(self, plan: ExportPlan, dataset: Dataset) -> None:
        if dataset.digest != plan.dataset["digest"]:
            raise UsageError("another dataset than the plan's", expected=plan.dataset["digest"], got=dataset.digest)
        options = plan.options
        self.plan = plan
        self._images, self._labels = images(dataset.train), labels(dataset.train)
        self._test, self._test_labels = images(dataset.test), labels(dataset.test)
        chosen = split(self._labels, subset=options.subset, validation=options.validation, seed=options.seed)
        self._held = chosen.validation
        # Positions within an epoch do not depend on the batch; any will do.
        self._stream = Stream(
            self._images,
            self._labels,
            chosen.train,
            policy=options.policy,
            seed=options.seed,
            batch=1,
            balanced=options.sampling == BALANCED,
        )

    def rows(self, shard: Shard, room: Pixels | None = None) -> Rows:
        """The shard's rows. room: memory for at least so many images; the rows may lie in it."""
        return self.range(shard.split, shard.first, shard.first + shard.rows, room)

    def range(self, split_name: str, first: int, last: int, room: Pixels | None = None) -> Rows:
        """Rows [first, last) of a split, counted through all epochs."""
        if split_name == "train":
            return _joined(list(self._train(first, last, room)), room)
        if split_name == "validation":
            return self._plain(self._images, self._labels, self._held[first:last])
        samples = np.arange(first, last, dtype=np.int64)
        if self.plan.options.augment_test:
            options, number = self.plan.options, SPLITS.index("test")
            pixels, drawn = augmented(self._test, samples, options.policy, seed=options.seed, epoch=0, split=number)
            return self._made(self._test, self._test_labels, samples, 0, pixels, drawn)
        return self._plain(self._test, self._test_labels, samples)

    def _train(self, first: int, last: int, room: Pixels | None) -> Iterator[Rows]:
        size = self.plan.splits["train"].per_epoch
        while first < last:
            epoch, begin = divmod(first, size)
            end = min(begin + last - first, size)
            out = None if room is None else room[: end - begin]
            rows = self._stream.rows(epoch, begin, end, out)
            yield self._made(self._images, self._labels, rows.samples, epoch, rows.pixels, rows.parameters)
            first += end - begin
            room = None if room is None else room[end - begin :]

    def _plain(self, source: npt.NDArray[np.uint8], marks: Labels, samples: npt.NDArray[np.int64]) -> Rows:
        drawn = np.tile(np.array(UNTOUCHED, np.float32), (len(samples), 1))
        return self._made(source, marks, samples, 0, source[samples], drawn)

    def _made(
        self,
        source: npt.NDArray[np.uint8],
        marks: Labels,
        samples: npt.NDArray[np.int64],
        epoch: int,
        pixels: npt.NDArray[np.uint8],
        drawn: npt.NDArray[np.float32],
    ) -> Rows:
        epochs = np.full(len(samples), epoch, np.int32)
        originals = source[samples] if self.plan.options.originals else None
        return Rows(pixels, marks[samples], samples, epochs, drawn, originals)


def _joined(parts: list[Rows], room: Pixels | None) -> Rows:
    """Rows one after the other; images that stand so already are not copied."""
    if room is None or len(parts) == 1 or not all(np.may_share_memory(part.images, room) for part in parts):
        return joined(parts)
    found = joined([part._replace(images=part.images[:0]) for part in parts])
    return found._replace(images=room[: len(found.labels)])
