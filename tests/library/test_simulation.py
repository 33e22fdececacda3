"""The simulated step, against steps whose time is known by hand."""

from dataclasses import replace

import pytest

from millrace.library.simulation import Cost, Works, step_seconds

# 4 slots, each 1 s to make and 2 s to compute; as many cores as anybody wants; nothing ahead.
PLAIN = Works(workers=1, augmenters=0, cores=8, slots=4, room=0, make=Cost(1.0), compute=Cost(2.0))

CASES = {
    "one worker does it all": (PLAIN, 12.0),
    "and updates": (replace(PLAIN, update=0.5, publish=0.25), 12.75),
    "and sends": (replace(PLAIN, send=0.1), 12.4),
    "two workers": (replace(PLAIN, workers=2), 6.0),
    "two workers on one core": (replace(PLAIN, workers=2, cores=1), 12.0),
    "two workers help to update": (replace(PLAIN, workers=2, update=4.0), 8.0),
    "a server updates alone": (replace(PLAIN, workers=2, update=4.0, helping=False), 10.0),
    "two workers take the lock from each other": (replace(PLAIN, workers=2, compute=Cost(2.0, beside=1.0)), 8.0),
    # Four slots take it 8 s beside the worker, who does 6.4 s of its 8 meanwhile.
    "an augmenter takes it from the worker": (
        replace(PLAIN, augmenters=1, room=8, make=Cost(1.0, beside=1.0), compute=Cost(2.0, beside=0.5)),
        9.6,
    ),
    # Beside three others a slot takes 1 + 0.5 × 2 times the 1 s more: 4 s, of which each has one.
    "a third thread adds to it": (
        replace(PLAIN, workers=4, make=Cost(0.0), compute=Cost(2.0, beside=1.0), crowd=0.5),
        4.0,
    ),
    "one takes it from nobody": (replace(PLAIN, compute=Cost(2.0, beside=1.0)), 12.0),
    "slots that do not divide evenly": (replace(PLAIN, workers=3), 6.0),
    "more workers than slots": (replace(PLAIN, workers=6), 3.0),
    "one augmenter": (replace(PLAIN, augmenters=1, room=8), 8.0),
    "one augmenter on the worker's core": (replace(PLAIN, augmenters=1, room=8, cores=1), 12.0),
    "an augmenter that is too slow": (replace(PLAIN, augmenters=1, room=8, make=Cost(3.0), makers=True), 12.0),
    "two of them": (replace(PLAIN, augmenters=2, room=8, make=Cost(3.0), makers=True), 8.0),
    "no batches to make": (replace(PLAIN, make=Cost(0.0)), 8.0),
    "others want the core too": (replace(PLAIN, cores=1, load=1.0), 24.0),
    "others want one of two cores": (replace(PLAIN, cores=2, load=1.0), 12.0),
    "the trainer wants the core too": (replace(PLAIN, cores=1, aside=3.0), 15.0),
    "the trainer has another core": (replace(PLAIN, cores=2, aside=3.0), 12.0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_step_takes_what_it_takes_by_hand(name: str) -> None:
    works, seconds = CASES[name]
    assert step_seconds(works) == pytest.approx(seconds, rel=0.03)


def test_who_waits_makes_batches_for_the_next_step() -> None:
    """Of three slots one worker has two. The other has time for one batch more in each step, which is taken first."""
    works = replace(PLAIN, workers=2, slots=3, room=4)
    assert step_seconds(works) == pytest.approx(4.5, rel=0.15)  # nine seconds of work for two workers
    assert step_seconds(replace(works, helping=False)) == pytest.approx(6.0, rel=0.03)


def test_workers_wait_for_the_slowest() -> None:
    """The larger of two times with a deviation of a third is a fifth longer than the mean: 1/√π deviations."""
    works = Works(2, 0, 2, 2, 0, Cost(0.0), Cost(3.0, 1.0))
    assert step_seconds(works) == pytest.approx(3 + 0.56, rel=0.06)
    assert step_seconds(works) == step_seconds(works)


def test_many_workers_are_simulated_in_no_time() -> None:
    works = replace(PLAIN, workers=200, slots=400, cores=64)
    assert step_seconds(works) == pytest.approx(400 * 3 / 64, rel=0.1)
