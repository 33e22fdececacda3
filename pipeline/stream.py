"""The stream: the addressable sequence of batches. `batch(step, slot)` is computed, not remembered."""

import json
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from counters import check_seed
from errors import UsageError
from pipeline import batch as batches
from pipeline.draw import draw
from pipeline.order import Order
from pipeline.policy import Policy
from pipeline.warp import U8Array, check_images, warp


class Stream:
    """Augmented samples in a run's order, any slot of any step at any time, by any thread.

    images: uint8 (N, C, H, W), the table's images, only read. labels: uint8 (N,). ids: int64 (n,), the rows that are
    trained on (all rows where None). digest: the dataset's, written into each batch.
    """

    def __init__(
        self,
        images: U8Array,
        labels: npt.NDArray[np.uint8],
        ids: npt.NDArray[np.int64] | None = None,
        *,
        policy: Policy,
        seed: int,
        batch: int,
        slot_size: int | None = None,
        digest: str = "",
    ) -> None:
        check_images(images)
        if labels.shape != (len(images),):
            raise UsageError("labels do not fit the images", expected=(len(images),), got=labels.shape)
        self.images, self.labels, self.policy, self.seed = images, labels, policy, check_seed(seed)
        self.ids = np.arange(len(images), dtype=np.int64) if ids is None else ids
        self.order = Order(len(self.ids), batch=batch, slot=slot_size, seed=seed)
        self.digest = digest

    @cached_property
    def slot_bytes(self) -> int:
        """The pixel bytes of a full slot: what read-ahead counts."""
        return self.order.slot * int(np.prod(self.images.shape[1:]))

    @cached_property
    def _policy(self) -> dict[str, object]:
        return json.loads(json.dumps(self.policy.as_dict()))  # type: ignore[no-any-return]

    def samples(self, step: int, slot: int) -> npt.NDArray[np.int64]:
        """The sample ids of a slot, in order: int64 (rows,)."""
        return self.ids[self.order.places(step, slot)]

    def batch(self, step: int, slot: int) -> pa.RecordBatch:
        """The slot's samples, augmented: see `pipeline.batch.schema` for the columns."""
        samples = self.samples(step, slot)
        epoch = self.order.epoch(step)
        height, width = self.images.shape[2:]
        drawn = draw(self.policy, samples, height=height, width=width, seed=self.seed, epoch=epoch)
        if self.policy.is_identity:
            pixels = self.images[samples]
        else:
            pixels = warp(self.images, samples, drawn.matrices)
        metadata = {
            "dataset": self.digest,
            "policy": self._policy,
            "seed": self.seed,
            "epoch": epoch,
            "step": step,
            "slot": slot,
        }
        return batches.assemble(pixels, self.labels[samples], samples, drawn.parameters, metadata)
