"""What is too slow, on a clock of its own: a lost batch is handed out again, and one that only takes long comes."""

import pytest

from millrace.runs.journal_rows import JournalRow
from millrace.workers.parameter_server import Update
from millrace.workers.ray_runtime.slowness import Slowness
from millrace.workers.stale_server import Grant, Grants


def update(step: int, seconds: float, read: int | None = None) -> Update:
    row = None if read is None else JournalRow(0, step, read)
    return Update(step, 1.0, 1, 1, 0.1, 1.0, 1, 1, "", seconds=seconds, row=row)


@pytest.mark.parametrize("per_epoch", [1, 3, 40])
@pytest.mark.parametrize("workers", [2, 8])
@pytest.mark.parametrize("long", [0.5, 15.0, 45.0])
def test_long_batches_of_a_stale_run_come(long: float, workers: int, per_epoch: int) -> None:
    """No worker is slow, so all 40 batches come, in not much more than the time that they take."""
    grants, slowness = Grants(40, per_epoch, None), Slowness(stale=True)
    held: dict[int, tuple[Grant, float]] = {}
    now = last = 0.0
    version = taken_away = 0
    while version < 40:
        for worker in range(workers):
            if worker in held and held[worker][1] <= now:
                grant = held.pop(worker)[0]
                if grants.give(worker, grant):
                    slowness.moved(update(version, now - last, grant.read))
                    version, last = version + 1, now
            if worker not in held and (fresh := grants.take(worker, version, 40)) is not None:
                held[worker] = fresh, now + long
        latest = grants.latest
        if latest is not None and slowness.too_slow(version, now - last, now):
            grants.lose(latest)
            taken_away += 1
        now += 0.25
        assert now < 40 * long * 2 + 120
    assert taken_away <= 5  # of the first batches, before it is known what is usual


def test_a_lost_batch_is_handed_out_again_and_again_but_less_often() -> None:
    stale, plain = Slowness(stale=True), Slowness(stale=False)
    for step in range(4):
        stale.moved(update(step, 0.5, max(0, step - 1)))
        plain.moved(update(step, 0.5))
    assert [now for now in range(100) if plain.too_slow(4, now, now)] == list(range(6, 100, 5))
    assert [now for now in range(100) if stale.too_slow(4, now, now)] == [11, 31, 71]
    assert stale.too_slow(5, 10.5, 100.0)  # another version: patience is as it was
