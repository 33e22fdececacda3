"""The dispatcher of a stale run: whoever leaves or is too slow loses its batch, and what it brings later is dropped."""

import dataclasses

import numpy as np
import pytest

from millrace.errors import Diverged
from millrace.workers.setup import Setup
from millrace.workers.stale_dispatcher import StaleDispatcher
from millrace.workers.stale_server import Grant
from millrace.workers.tree import Block, Partial
from tests.workers.runs import JOB, digits


def test_lost_slow_and_repeated() -> None:
    setup = Setup(dataclasses.replace(JOB, staleness=2), digits())
    dispatcher = StaleDispatcher(setup)
    gradient = np.zeros(setup.network.parameters, np.float32)

    def bring(name: str, step: int, read: int) -> int | None:
        partial = Partial(gradient, 1.0, 1, setup.order.size(step), (bytes(32),))
        update = dispatcher.contribute(step, Block(0, 4), partial, name, read)
        return None if update is None else update.step

    for name in ("worker-0", "worker-1", "worker-7"):
        assert dispatcher.task(name) is None  # unknown
        dispatcher.join(name)
    assert dispatcher.task("worker-0") is None  # nothing is allowed yet
    dispatcher.allow(JOB.epochs * 3)
    first, second = dispatcher.task("worker-0"), dispatcher.task("worker-7")
    assert first is not None
    assert second is not None
    assert (first.step, first.slots, first.blocks, first.read) == (0, 4, [Block(0, 4)], 0)
    assert second.step == 1
    dispatcher.leave("worker-0")
    assert bring("worker-0", 0, 0) is None
    again = dispatcher.task("worker-1")
    assert again is not None
    assert again.step == 0
    assert bring("worker-7", 1, 0) == 0
    assert bring("worker-7", 1, 0) is None
    assert dispatcher.server.missing() == [0]
    dispatcher.loosen()  # worker 1 is too slow
    third = dispatcher.task("worker-7")
    assert third is not None
    assert (third.step, third.read) == (0, 1)
    assert bring("worker-1", 0, 0) is None
    assert bring("worker-7", 0, 1) == 1
    assert not dispatcher.ended


def test_after_a_failure_nothing_is_taken_or_handed_out_and_no_batch_is_lost() -> None:
    setup = Setup(dataclasses.replace(JOB, staleness=2), digits())
    dispatcher = StaleDispatcher(setup)
    for name in ("worker-0", "worker-1", "worker-2"):
        dispatcher.join(name)
    dispatcher.allow(3)
    assert [getattr(dispatcher.task(f"worker-{number}"), "step", None) for number in (0, 1)] == [0, 1]
    gradient = np.zeros(setup.network.parameters, np.float32)
    broken = Partial(gradient, float("nan"), 1, setup.order.size(0), (bytes(32),))
    for number, partial in ((0, broken), (1, broken._replace(loss=1.0))):
        with pytest.raises(Diverged, match="at step 0"):
            dispatcher.contribute(number, Block(0, 4), partial, f"worker-{number}", 0)
    with pytest.raises(Diverged):
        dispatcher.task("worker-2")
    assert (dispatcher.version, dispatcher.server.missing()) == (0, [0, 1])
    assert dispatcher.server.take(2, 3, gradient) == Grant(0, 0)
