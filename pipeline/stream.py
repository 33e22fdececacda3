"""The stream: the addressable sequence of batches. `batch(step, slot)` is computed, not remembered."""

import json
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.counters import check_seed
from millrace.errors import UsageError
from millrace.labels import Labels
from millrace.pipeline import batch as batches
from millrace.pipeline.balance import BalancedRows
from millrace.pipeline.bend import bend
from millrace.pipeline.draw import Draws, draw
from millrace.pipeline.elastic import controls
from millrace.pipeline.erase import boxes, erase
from millrace.pipeline.order import Order
from millrace.pipeline.policy import Policy
from millrace.pipeline.visited import U8Array, Visited
from millrace.pipeline.warp import check_images, check_rows, warp


class Stream:
    """Augmented samples in a run's order, any slot of any step at any time, by any thread.

    images: uint8 (N, C, H, W), the table's images, only read. labels: uint8 or uint16 (N,). ids: int64 (n,), the
    rows that are trained on (all rows where None). digest: the dataset's, written into each batch. split: 0 train,
    1 validation, 2 test, see `counters.lane`. shuffle, drop_last: see `Order`. balanced: every class equally often, see
    `pipeline.balance`.
    Raises a UsageError where these do not fit together.
    """

    deadline = 60.0  # seconds in which rows that were begun must be there

    def __init__(
        self,
        images: U8Array,
        labels: Labels,
        ids: npt.NDArray[np.int64] | None = None,
        *,
        policy: Policy,
        seed: int,
        batch: int,
        slot_size: int | None = None,
        digest: str = "",
        split: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        balanced: bool = False,
    ) -> None:
        check_images(images)
        if labels.shape != (len(images),):
            raise UsageError("labels do not fit the images", expected=(len(images),), got=labels.shape)
        self.images, self.labels, self.policy, self.seed = images, labels, policy, check_seed(seed)
        self.ids = np.arange(len(images), dtype=np.int64) if ids is None else check_rows(ids, len(images))
        self.order = Order(
            len(self.ids),
            batch=batch,
            slot=slot_size,
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
            balance=BalancedRows(labels[self.ids], self.seed) if balanced else None,
        )
        self.digest, self.split = digest, split

    @cached_property
    def slot_bytes(self) -> int:
        """The bytes of a full slot's batch: what read-ahead counts."""
        shape = (self.images.shape[1], self.images.shape[2], self.images.shape[3])
        return batches.arrow_bytes(self.order.slot, shape, self.labels.itemsize)

    @cached_property
    def _policy(self) -> dict[str, object]:
        return json.loads(json.dumps(self.policy.as_dict()))  # type: ignore[no-any-return]

    def samples(self, step: int, slot: int) -> npt.NDArray[np.int64]:
        """The sample ids of a slot, in order: int64 (rows,)."""
        return self.ids[self.order.places(step, slot)]

    def rows(self, epoch: int, first: int, last: int, out: U8Array | None = None) -> Visited:
        """Positions [first, last) of an epoch: no batch size enters them. out: memory for the pixels, if they need any
        of their own."""
        places, before = self.order.shown(epoch, first, last)
        samples = self.ids[places]
        where = _where(self.images, self.seed, before, self.split)
        drawn, labels = draw(self.policy, samples, **where), self.labels[samples]
        done = perf_counter()
        pixels = _pixels(self.images, samples, self.policy, drawn, where, out)
        return Visited(samples, labels, pixels, drawn.parameters, done)

    def close(self) -> None:
        """Nobody waits for rows any more: who still does may get an error, where they come from elsewhere."""

    def batch(self, step: int, slot: int) -> pa.RecordBatch:
        """The slot's samples, augmented: see `pipeline.batch.schema` for the columns."""
        return self.record(step, self.rows(self.order.epoch(step), *self.order.span(step, slot)), slot=slot)

    def record(self, step: int, rows: Visited, **also: object) -> pa.RecordBatch:
        """Rows of a step as a record batch; its schema says what they are of, and what is given `also`."""
        metadata = {
            "dataset": self.digest,
            "policy": self._policy,
            "seed": self.seed,
            "epoch": self.order.epoch(step),
            "step": step,
            **also,
        }
        return batches.assemble(rows.pixels, rows.labels, rows.samples, rows.parameters, metadata)


def augmented(
    images: U8Array,
    samples: npt.NDArray[np.int64],
    policy: Policy,
    *,
    seed: int,
    epoch: npt.ArrayLike,
    split: int = 0,
    replica: int = 0,
    out: U8Array | None = None,
) -> tuple[U8Array, npt.NDArray[np.float32]]:
    """The images of samples as the policy draws them in an epoch, uint8 (n, C, H, W), and the drawn parameters.
    epoch: one number, or int64 (n,), how often each was shown before. out: memory that may be used for the images."""
    where = _where(images, seed, epoch, split, replica)
    drawn = draw(policy, samples, **where)
    return _pixels(images, samples, policy, drawn, where, out), drawn.parameters


def _where(images: U8Array, seed: int, epoch: npt.ArrayLike, split: int, replica: int = 0) -> dict[str, Any]:
    """What all draws of some samples have in common."""
    height, width = images.shape[2:]
    return {"height": height, "width": width, "seed": seed, "epoch": epoch, "split": split, "replica": replica}


def _pixels(
    images: U8Array,
    samples: npt.NDArray[np.int64],
    policy: Policy,
    drawn: Draws,
    where: dict[str, Any],
    out: U8Array | None,
) -> U8Array:
    """The images as they were drawn."""
    if policy.is_identity:
        return images[samples]
    if policy.elastic:
        points = controls(samples, policy.elastic, policy.elastic_cells, **where)
        pixels = bend(images, samples, drawn.matrices, points)
    else:
        pixels = warp(images, samples, drawn.matrices, out)
    if policy.erase:
        erase(pixels, boxes(samples, policy.erase, policy.erase_area, **where))
    return pixels
