"""From a dataset and a configuration to the stream that is delivered: which rows, in which order, known by what."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.datasets import Dataset, images, labels, split
from millrace.datasets.exported import ExportedDataset
from millrace.errors import UsageError
from millrace.formats.rows import SPLITS
from millrace.loading.data import AUTO, policy_of
from millrace.loading.shares import Statistics, unknown_statistics
from millrace.pipeline import BALANCED, UNIFORM, Stream, Visited, pixel_statistics
from millrace.pipeline.export import StoredStream

DEADLINE = 600.0  # seconds in which a batch that a thread has begun must be there


@dataclass(frozen=True)
class Choice:
    """Which rows of a dataset are streamed, and how: see `millrace.stream`."""

    batch: int
    seed: int | None  # None: 0, or that of an export
    policy: Any
    split: str
    subset: int | None
    validation: int
    drop_last: bool
    sampling: str = UNIFORM


class StreamSource:
    """The addressable stream of a choice, its identity and its pixel statistics. Raises a UsageError where the choice
    does not fit the dataset."""

    def __init__(self, dataset: Dataset, choice: Choice) -> None:
        if choice.sampling != UNIFORM and choice.split != "train":
            raise UsageError(
                "sampling is for training", expected="split train", got=choice.split, do="leave out `sampling`"
            )
        self.dataset, self.choice = dataset, choice
        self.stream = self._stored() if isinstance(dataset, ExportedDataset) else self._computed()
        self.name, self.split, self.sizes = dataset.spec.name, choice.split, self.stream.order
        self.classes, self.shape, self.deadline = dataset.classes, dataset.shape, DEADLINE

    def rows(self, step: int, rank: int = 0, world: int = 1) -> Visited:
        """A rank's rows of a step, made here and now; in memory of their own, but for rows of an export."""
        return self.stream.rows(self.sizes.epoch(step), *self.sizes.share(step, rank, world))

    def record(self, step: int, rank: int = 0, world: int = 1) -> pa.RecordBatch:
        """The same as a record batch."""
        return self.stream.record(step, self.rows(step, rank, world))

    def reading(self, *_: object) -> "StreamSource":
        """The source itself: whoever reads ahead has it make batches ahead."""
        return self

    def close(self) -> None:
        """Nothing is held for a pass."""

    @cached_property
    def identity(self) -> Mapping[str, object]:
        """What decides every bit of the stream, as plain values: states of streams that differ here are foreign."""
        chosen = self.choice
        # Left out where it is as before: states of before are still of this stream.
        sampling = {} if chosen.sampling == UNIFORM else {"sampling": chosen.sampling}
        return {
            "dataset": self.dataset.spec.name,
            "digest": self.dataset.digest,
            "split": chosen.split,
            "seed": self.stream.seed,
            "batch": chosen.batch,
            "policy": self.stream.policy.as_dict(),
            "subset": chosen.subset,
            "validation": chosen.validation,
            "drop_last": chosen.drop_last,
            **sampling,
        }

    @cached_property
    def statistics(self) -> Statistics:
        """Mean and deviation of each channel over the rows that are trained on, whatever split is streamed, in units of
        full brightness. UsageError where these rows are not known."""
        if isinstance(self.dataset, ExportedDataset):
            return self.dataset.statistics
        if not self.dataset.train.num_rows:
            raise unknown_statistics()
        return pixel_statistics(images(self.dataset.train), self._train)

    @cached_property
    def _parts(self) -> Any:
        chosen = self.choice
        return split(
            labels(self.dataset.train), subset=chosen.subset, validation=chosen.validation, seed=chosen.seed or 0
        )

    @property
    def _train(self) -> npt.NDArray[np.int64]:
        rows: npt.NDArray[np.int64] = self._parts.train
        return rows

    def _computed(self) -> Stream:
        chosen = self.choice
        table = self.dataset.test if chosen.split == "test" else self.dataset.train
        ids = None if chosen.split == "test" else getattr(self._parts, chosen.split)
        return self._plain(table, ids, policy_of(chosen.policy, self.dataset, chosen.split))

    def _stored(self) -> Stream:
        """The rows of an export as they stand; augmentation, seed and subset are those that it was written with."""
        dataset, chosen = self.dataset, self.choice
        others = chosen.subset is not None or chosen.validation or chosen.sampling != UNIFORM
        if chosen.policy not in (AUTO, "none") or others:
            policy = getattr(chosen.policy, "name", chosen.policy)
            found = f"policy {policy}, subset {chosen.subset}, validation {chosen.validation}"
            raise UsageError(
                "the rows of an export are augmented and chosen already",
                expected="neither policy nor subset nor validation nor sampling",
                got=f"{found}, sampling {chosen.sampling}",
                do="give them to `millrace.export`",
            )
        if not isinstance(dataset, ExportedDataset):
            raise UsageError("not an export", got=dataset.spec.name)
        own = dataset.manifest.configuration["seed"]
        if chosen.seed not in (None, own):
            raise UsageError(
                "the rows of an export were drawn with a seed of their own",
                expected=f"seed {own}, or none",
                got=f"seed {chosen.seed}",
                do="leave out `seed`, or give it to `millrace.export`",
            )
        if chosen.split == "train":
            return StoredStream(dataset, batch=chosen.batch, slot_size=chosen.batch, drop_last=chosen.drop_last)
        held_from = dataset.manifest.splits["train"].per_epoch
        ids = np.arange(held_from, dataset.train.num_rows) if chosen.split == "validation" else None
        table = dataset.train if chosen.split == "validation" else dataset.test
        return self._plain(table, ids, policy_of("none", dataset, chosen.split))

    def _plain(self, table: Any, ids: npt.NDArray[np.int64] | None, policy: Any) -> Stream:
        chosen = self.choice
        if not (table.num_rows if ids is None else len(ids)):
            do = "add `validation=N`" if chosen.split == "validation" else None
            raise UsageError(
                f"{self.dataset.spec.name} has no {chosen.split} split", expected="some rows", got=0, do=do
            )
        return Stream(
            images(table),
            labels(table),
            ids,
            policy=policy,
            seed=chosen.seed or 0,
            batch=chosen.batch,
            slot_size=chosen.batch,
            digest=self.dataset.digest,
            split=SPLITS.index(chosen.split),
            shuffle=chosen.split == "train",
            drop_last=chosen.drop_last,
            balanced=chosen.sampling == BALANCED,
        )
