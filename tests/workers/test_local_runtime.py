"""The local runtime: what is made ahead of need."""

import dataclasses
import time

import pytest

from millrace.pipeline import Stream
from millrace.workers.clock import Clock
from millrace.workers.job import Place
from millrace.workers.local_runtime import LocalRuntime
from millrace.workers.setup import Setup
from millrace.workers.slot import Slot
from tests.workers.runs import JOB, digits


@pytest.mark.parametrize(("read_ahead", "all_of_them"), [(1, True), (0, False)])
def test_as_many_batches_are_made_ahead_as_the_place_says(
    monkeypatch: pytest.MonkeyPatch, read_ahead: int, all_of_them: bool
) -> None:
    """360 slots of less than 2 KiB each: 1 MiB holds them all, though none is trained on."""
    made: list[tuple[int, int]] = []
    make = Slot.made

    def counted(stream: Stream, step: int, slot: int, *clock: Clock) -> Slot:
        made.append((step, slot))
        return make(stream, step, slot, *clock)

    monkeypatch.setattr(Slot, "made", counted)
    setup = Setup(dataclasses.replace(JOB, epochs=40), digits())
    runtime = LocalRuntime(setup, Place(workers=1, augmenters=1, read_ahead=read_ahead))
    try:
        until = time.monotonic() + 30
        while all_of_them and len(made) < 360 and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        runtime.close()
    assert len(made) == (360 if all_of_them else 0)
