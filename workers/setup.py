"""From a job and its data to the parts of a run: network, normalisation, stream, optimizer, schedule."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from millrace.datasets import Dataset, Split, images, labels, split
from millrace.datasets.exported import ExportedDataset
from millrace.errors import UsageError
from millrace.labels import Labels
from millrace.model import FLOAT32, Inputs, Network, Optimizer, Schedule, Updates, optimizer, schedule
from millrace.pipeline import BALANCED, UNIFORM, Order, Stream, pixel_statistics
from millrace.pipeline.export import StoredStream
from millrace.workers.job import BATCHES, MOST_WORKERS, Job

if TYPE_CHECKING:  # its kernels, which take seconds to compile, are for runs that round
    from millrace.model import Rounding


@dataclass(frozen=True)
class Setup:
    """The parts of a run; a pure function of (job, dataset), so that every process makes the same."""

    job: Job
    dataset: Dataset

    @property
    def exported(self) -> ExportedDataset | None:
        """The dataset, where it is an export: its rows are taken as they stand, in their order."""
        return self.dataset if isinstance(self.dataset, ExportedDataset) else None

    @property
    def sampling(self) -> str:
        """How the samples of an epoch are chosen: as the job says; of an export, as its rows were."""
        if self.exported is not None:
            return str(self.exported.manifest.configuration.get("sampling", UNIFORM))
        return self.job.sampling

    @cached_property
    def images(self) -> npt.NDArray[np.uint8]:
        """Of the training table, uint8 (n, C, H, W): a view of its memory."""
        return images(self.dataset.train)

    @cached_property
    def labels(self) -> Labels:
        """Of the training table, uint8 or uint16 (n,)."""
        return labels(self.dataset.train)

    @cached_property
    def split(self) -> Split:
        """The rows of the training table to train on and to validate on, int64 each, with nothing in common."""
        if self.exported is not None:
            held_from = self.exported.manifest.splits["train"].per_epoch
            rows = np.arange(len(self.labels), dtype=np.int64)
            return Split(train=rows[:held_from], validation=rows[held_from:])
        return split(self.labels, subset=self.job.subset, validation=self.job.validation, seed=self.job.seed)

    @property
    def batch(self) -> int:
        """The samples of a step, where the job gives a name."""
        named = BATCHES[self.job.batch] if isinstance(self.job.batch, str) else self.job.batch
        return len(self.split.train) if named is None else named

    @cached_property
    def stream(self) -> Stream:
        """The batches of every step. UsageError where the job wants what an export cannot give."""
        if self.exported is not None:
            _check_export(self.job)
            stored = StoredStream(self.exported, batch=self.batch, slot_size=self.job.slot_size)
            stored.order.check_epochs(self.job.epochs)
            return stored
        return Stream(
            self.images,
            self.labels,
            self.split.train,
            policy=self.job.policy,
            seed=self.job.seed,
            batch=self.batch,
            slot_size=self.job.slot_size,
            digest=self.dataset.digest,
            balanced=self.job.sampling == BALANCED,
        )

    @property
    def order(self) -> Order:
        """Which samples each step and slot has."""
        return self.stream.order

    @property
    def total_steps(self) -> int:
        """The steps of the whole run, all epochs."""
        return self.job.epochs * self.order.steps_per_epoch

    @property
    def most_at_work(self) -> int:
        """How many workers can work at once: those that share a step have a slot each; in a stale run the last of them
        to come may be as far behind as the bound allows."""
        if not self.job.stale:
            return self.order.most_slots
        return MOST_WORKERS if self.job.bound is None else min(self.job.bound + 1, MOST_WORKERS)

    @cached_property
    def network(self) -> Network:
        """The network for these images and classes. UsageError where its options do not fit."""
        inputs, classes = int(np.prod(self.images.shape[1:])), len(self.dataset.spec.classes)
        return Network(self.job.network, inputs, classes, self.job.regularization)

    @cached_property
    def inputs(self) -> Inputs:
        """How pixels become the network's float32 inputs: by the statistics of the training rows, or by 255."""
        if self.job.normalize == "unit":
            return Inputs.unit(self.images.shape[1])
        if self.exported is not None:
            return Inputs(*self.exported.statistics)
        return Inputs(*pixel_statistics(self.images, self.split.train))

    @cached_property
    def optimizer(self) -> Optimizer:
        """The update rule, with its ranges of the flat weights."""
        return optimizer(self.job.optimizer, self.network.layout)

    @cached_property
    def updates(self) -> Updates:
        """The update rule with what the job puts around it: clipping, max-norm, averaging, noise."""
        return Updates(self.optimizer, self.job.regularization, self.job.seed)

    @cached_property
    def rounding(self) -> "Rounding | None":
        """How sums of gradients are rounded; None where they are not."""
        if self.job.wire == FLOAT32:
            return None
        from millrace.model import Rounding

        return Rounding(self.job.wire, self.job.seed)

    @property
    def gradient_bytes(self) -> int:
        """The bytes that a sum of gradients takes between machines."""
        parameters = self.network.parameters
        return 4 * parameters if self.rounding is None else self.rounding.packed_bytes(parameters)

    @cached_property
    def schedule(self) -> Schedule:
        """The learning rate of every step, before the plateau's cuts."""
        return schedule(self.job.schedule, self.job.optimizer.rate, self.total_steps, self.order.steps_per_epoch)

    def check(self) -> None:
        """Refuse, before anything is computed, what cannot work: UsageError."""
        _ = self.network, self.schedule
        wants = {
            "the plateau schedule": self.job.schedule.name == "plateau",
            "early stopping": self.job.regularization.early_stopping > 0,
        }
        for what in (name for name, wanted in wants.items() if wanted and not len(self.split.validation)):
            raise UsageError(
                f"{what} decides by the validation split, and there is none",
                expected="samples to validate on",
                got=0,
                do="add `validation=N`",
            )


def _check_export(job: Job) -> None:
    """Refuse what would draw again from rows that are drawn already."""
    if not job.policy.is_identity:
        raise UsageError(
            "the rows of an export are augmented already",
            expected="policy none",
            got=job.policy.name,
            do="leave out `policy`",
        )
    if job.sampling != UNIFORM:
        raise UsageError(
            "the rows of an export stand in an order of their own",
            expected="sampling uniform",
            got=job.sampling,
            do="give it to `millrace.export`",
        )
    if job.subset is not None or job.validation:
        raise UsageError(
            "an export has its own splits",
            expected="neither `subset` nor `validation`",
            got=f"subset {job.subset}, validation {job.validation}",
            do="give them to `millrace.export`",
        )
