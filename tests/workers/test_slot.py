"""A slot's arrays: the same whether they come from the stream or from its record batch."""

import hashlib

import numpy as np
import pytest

from millrace.workers.ledger import slot_digest
from millrace.workers.setup import Setup
from millrace.workers.slot import Slot
from tests.workers.runs import JOB, digits


@pytest.mark.parametrize(("step", "slot"), [(0, 0), (1, 3), (2, 0), (11, 0)])
def test_made_from_the_stream_or_taken_from_a_batch(step: int, slot: int) -> None:
    stream = Setup(JOB, digits()).stream
    batch = stream.batch(step, slot)
    made, taken = Slot.made(stream, step, slot), Slot.of(batch)
    pairs: list[tuple[np.ndarray, np.ndarray]] = [
        (made.samples, taken.samples),
        (made.labels, taken.labels),
        (made.images, taken.images),
    ]
    for left, right in pairs:
        assert left.dtype == right.dtype
        assert left.tobytes() == right.tobytes()
        assert left.shape == right.shape
    plain = hashlib.sha256(b"".join(array.tobytes() for array, _ in pairs)).digest()
    assert made.digest == taken.digest == slot_digest(batch) == plain
