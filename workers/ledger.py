"""The ledger: what was trained on, as a chain of digests that can be computed again by anyone from the configuration.

Each slot's digest is taken by the worker from the very batch that it trained on: sample ids, labels, pixels. The
server chains them in slot order, step after step; each epoch starts a chain of its own.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.labels import Labels
from millrace.pipeline import Stream, images_of, labels_of, samples_of

EMPTY = "0" * 64


def digest_of(samples: npt.NDArray[np.int64], labels: Labels, images: npt.NDArray[np.uint8]) -> bytes:
    """sha256 over the ids, the labels and the pixels of a slot, all C-contiguous."""
    total = hashlib.sha256(samples.data)
    total.update(labels.data)
    total.update(images.data)
    return total.digest()


def slot_digest(batch: pa.RecordBatch) -> bytes:
    """`digest_of` a slot's batch."""
    return digest_of(samples_of(batch), labels_of(batch), images_of(batch))


def extend(ledger: str, digests: Iterable[bytes]) -> str:
    """The ledger, hex, after one more step with these slots."""
    return hashlib.sha256(bytes.fromhex(ledger) + b"".join(digests)).hexdigest()


class ExpectedEpoch(NamedTuple):
    """What a whole epoch must be: its ledger, its number of samples, and how many different ones they are."""

    ledger: str
    samples: int
    different: int


def expected(stream: Stream, epoch: int, steps: Iterable[int] | None = None) -> ExpectedEpoch:
    """The epoch, made from the stream once more. steps: in the order in which a stale run took them; by default as
    they stand."""
    ledger, shown = EMPTY, [np.empty(0, np.int64)]
    first = epoch * stream.order.steps_per_epoch
    for step in range(first, first + stream.order.steps_per_epoch) if steps is None else steps:
        batches = [stream.batch(step, slot) for slot in range(stream.order.slots(step))]
        ledger = extend(ledger, [slot_digest(batch) for batch in batches])
        shown += [samples_of(batch) for batch in batches]
    samples = np.concatenate(shown)
    return ExpectedEpoch(ledger, len(samples), len(np.unique(samples)))
