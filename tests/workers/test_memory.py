"""Memory stays flat: what is resident after epoch 100 is what was after epoch 5."""

import dataclasses
import gc
from pathlib import Path

import pytest

from model import NetworkOptions
from tests.workers.runs import JOB, Watch, train
from workers.events import EpochDone, Event
from workers.job import Place

STATUS = Path("/proc/self/statm")


def resident() -> int:
    """Resident memory of this process in pages."""
    gc.collect()
    return int(STATUS.read_text().split()[1])


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="this system has no /proc")
@pytest.mark.parametrize("augmenters", [0, 1])
def test_memory_is_flat_over_a_hundred_epochs(
    tmp_path: Path, augmenters: int, capsys: pytest.CaptureFixture[str]
) -> None:
    job = dataclasses.replace(
        JOB,
        epochs=100,
        batch=128,
        slot_size=None,
        subset=None,
        validation=137,
        network=NetworkOptions(hidden=(999, 299)),
    )
    pages: dict[int, int] = {}

    def look(event: Event) -> None:
        if isinstance(event, EpochDone):
            pages[event.epoch + 1] = resident()

    watch = Watch(look)
    watch.events = Forgetful()
    train(tmp_path, job, Place(augmenters=augmenters, read_ahead=4, checkpoint_every=0.5), watch=watch)
    with capsys.disabled():
        print(f"\n[resident: {pages[5]} pages after epoch 5, {pages[100]} after epoch 100]", end=" ")  # noqa: T201
    assert abs(pages[100] / pages[5] - 1) <= 0.02


class Forgetful(list[Event]):
    """Keeps nothing, so that what grows is not the test's own."""

    def append(self, event: Event) -> None:
        pass
