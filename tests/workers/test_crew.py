"""The crew: every element once, whoever helps; errors come to who spread the work."""

import threading
import time

import numpy as np
import pytest

from millrace.model import NetworkOptions, OptimizerOptions, RegularizationOptions, optimizer
from millrace.model.fast.network import Network
from millrace.model.optimizers import Step
from millrace.model.updates import Updates
from millrace.workers.crew import PIECE, Crew


def helping(crew: Crew, changed: threading.Condition, ended: threading.Event) -> None:
    while not ended.is_set():
        if not crew.help():
            with changed:
                changed.wait_for(lambda: crew.busy or ended.is_set(), 0.05)


@pytest.fixture
def crew() -> Crew:
    return Crew(threading.Condition())


@pytest.mark.parametrize("size", [1, PIECE, PIECE + 1, 7 * PIECE + 11])
@pytest.mark.parametrize("helpers", [0, 1, 3])
def test_every_element_is_done_once(size: int, helpers: int) -> None:
    changed, ended = threading.Condition(), threading.Event()
    crew, done = Crew(changed), np.zeros(size, np.int64)

    def work(begin: int, end: int) -> None:
        assert end - begin <= PIECE
        done[begin:end] += 1

    threads = [threading.Thread(target=helping, args=(crew, changed, ended)) for _ in range(helpers)]
    for thread in threads:
        thread.start()
    for number in range(1, 21):
        crew.spread(work, size)
        assert (done == number).all()
    ended.set()
    for thread in threads:
        thread.join(30)
    assert not crew.busy
    assert not crew.help()


def test_who_waits_does_help(crew: Crew) -> None:
    workers, both = set[int](), threading.Barrier(2, timeout=30)

    def work(begin: int, end: int) -> None:
        if threading.get_ident() not in workers:
            workers.add(threading.get_ident())
            both.wait()

    def help_for_a_while() -> None:
        until = time.monotonic() + 30
        while len(workers) < 2 and time.monotonic() < until:
            crew.help()

    helper = threading.Thread(target=help_for_a_while)
    helper.start()
    crew.spread(work, 4 * PIECE)
    helper.join(30)
    assert len(workers) == 2


def test_an_error_of_a_piece_ends_the_work_and_is_raised_where_it_was_spread(crew: Crew) -> None:
    def fail(begin: int, end: int) -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        crew.spread(fail, 5 * PIECE)
    assert not crew.busy
    done: list[int] = []
    crew.spread(lambda begin, end: done.append(end), PIECE)
    assert done == [PIECE]


@pytest.mark.parametrize("decay", [0.0, 1e-3])
def test_an_update_in_pieces_has_the_bits_of_a_whole_one(crew: Crew, decay: float) -> None:
    network = Network(NetworkOptions(hidden=(500,)), inputs=600, classes=10)
    updates = Updates(optimizer(OptimizerOptions(decay=decay), network.layout), RegularizationOptions(), 0)
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal(network.parameters).astype(np.float32) for _ in range(2))
    results = []
    for spread in (None, crew.spread):
        weights = network.initial(1)
        state = updates.initial_state(weights)
        for t in (1, 2):
            updates.step(Step(weights, state, left, right, 7.0, 1e-3, t), spread)
        results.append([weights.tobytes(), *(array.tobytes() for array in state.values())])
    assert network.parameters > 2 * PIECE
    assert results[0] == results[1]
