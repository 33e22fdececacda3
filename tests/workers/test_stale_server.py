"""Who gets which batch: each once, none further behind than the bound allows, and never nobody."""

import random

import pytest

from millrace.workers.stale_server import Grant, Grants


def test_by_hand() -> None:
    grants = Grants(steps=8, per_epoch=4, bound=1)
    assert grants.take(0, 0, 8) == Grant(0, 0)
    assert grants.take(1, 0, 8) == Grant(1, 0)
    assert grants.take(2, 0, 8) is None  # it could be two behind
    assert grants.give(1, Grant(1, 0))
    assert list(grants.undone) == [0]
    assert grants.take(1, 1, 8) is None  # worker 0 could be two behind
    assert grants.give(0, Grant(0, 0))
    assert not grants.give(0, Grant(0, 0))  # once
    assert grants.take(0, 2, 8) == Grant(2, 2)
    assert grants.take(1, 2, 8) == Grant(3, 2)
    grants.lose(1)
    assert list(grants.undone) == [2, 3]
    assert grants.take(2, 2, 8) == Grant(3, 2)
    assert not grants.give(1, Grant(3, 2))
    assert grants.give(0, Grant(2, 2))
    assert grants.take(0, 3, 8) is None  # the next epoch has to wait
    assert grants.give(2, Grant(3, 2))
    assert grants.take(0, 4, 4) is None  # the limit
    assert grants.take(0, 4, 8) == Grant(4, 4)


def test_what_was_left_is_handed_out_first() -> None:
    grants = Grants(steps=20, per_epoch=20, bound=None, version=3, left=(4, 1))
    assert [grants.take(worker, 3, 20) for worker in range(4)] == [Grant(batch, 3) for batch in (1, 4, 5, 6)]
    assert list(grants.undone) == [1, 4, 5, 6]


@pytest.mark.parametrize("bound", [0, 1, 2, 5, None])
@pytest.mark.parametrize("workers", [1, 2, 4, 7])
def test_any_order_of_arrival_keeps_the_bound_and_each_batch_once(bound: int | None, workers: int) -> None:
    for seed in range(8):
        draw = random.Random(seed)
        grants, version, held = Grants(60, 12, bound), 0, dict[int, Grant]()
        came, most = list[int](), 0
        while version < 60:
            idle = [worker for worker in range(workers) if worker not in held]
            draw.shuffle(idle)
            for worker in idle[: draw.randint(0, len(idle))] if held else idle:
                grant = grants.take(worker, version, 60)
                if grant is not None:
                    held[worker] = grant
            assert held  # somebody always has something to do
            if draw.random() < 0.1:
                grants.lose(lost := draw.choice(list(held)))
                del held[lost]
                continue
            worker = draw.choice(list(held)[: draw.choice((1, workers))])  # often the one that came first is last
            grant = held.pop(worker)
            assert grants.give(worker, grant)
            came.append(grant.batch)
            most = max(most, version - grant.read)
            version += 1
        assert sorted(came) == list(range(60))
        assert [batch // 12 for batch in came] == sorted(batch // 12 for batch in came)
        assert bound is None or most <= bound
