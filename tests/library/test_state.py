"""State: a step number and a name; interruptions anywhere change no bit of what follows."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from millrace.errors import UsageError
from millrace.loading.datastream import DataStream
from tests.library.pictures import small

WAYS: dict[str, Callable[..., Any]] = {
    "numpy": lambda stream, epochs: stream.numpy(epochs),
    "uint8 last": lambda stream, epochs: stream.numpy(epochs, dtype="uint8", layout="NHWC"),
    "arrow": lambda stream, epochs: stream.arrow(epochs),
}
INTERRUPTED = [(1, 2, 3), (1, 4, 5), (2, 5, 6), (1, 1, 1), (5, 5, 5), (4, 5, 9), (5, 10, 10)]


def seen(batch: Any) -> list[Any]:
    return [column.tolist() for column in batch] if isinstance(batch, tuple) else batch.to_pydict()


def taken(loader: Iterable[Any], count: int) -> list[Any]:
    """So many batches, and then the loop is left."""
    found: list[Any] = []
    if count:
        for batch in loader:
            found.append(seen(batch))
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize("at", INTERRUPTED, ids=str)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["stream", "loader"])
@pytest.mark.parametrize("threads", [0, 2])
def test_three_interruptions_change_nothing(way: str, at: tuple[int, ...], where: str, threads: int) -> None:
    make, world = WAYS[way], small
    whole = [seen(batch) for batch in make(small(), 3)]
    assert len(whole) == 15
    state: Any = None
    found: list[Any] = []
    for stop in (*at, 15):
        stream = world(threads=threads)
        loader = make(stream if state is None or where == "loader" else stream.at(state), 3)
        if state is not None and where == "loader":
            loader.load_state_dict(state)
        found += taken(loader, stop - len(found))
        state = json.loads(json.dumps(loader.state_dict()))
        if found:
            assert state["step"] == len(found)
    assert found == whole
    assert list(make(small().at(state), 3)) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("at", [0, 1, 4, 5, 6])
def test_epoch_by_epoch_only_the_first_pass_after_a_resume_is_short(way: str, at: int) -> None:
    whole = [seen(batch) for batch in WAYS[way](small(), 4)]
    loader = WAYS[way](small(), None)
    loader.load_state_dict({**small().state(), "step": at})
    passes = [[seen(batch) for batch in loader] for _ in range(3)]
    found = [batch for each in passes for batch in each]
    assert found == whole[at : at + len(found)]
    assert [len(each) for each in passes] == [5 - at % 5, 5, 5]
    assert len(loader) == 5


def test_a_pass_left_early_is_not_gone_on_with() -> None:
    stream = small()
    loader = stream.arrow()
    assert next(iter(loader)).equals(stream[0])
    assert [batch.equals(stream[5 + step]) for step, batch in enumerate(loader)] == [True] * 5
    next(iter(loader))
    assert [batch.equals(stream[15 + step]) for step, batch in enumerate(stream)] == [True] * 5
    evaluation = small(split="test")
    next(iter(evaluation))
    assert sum(batch.num_rows for batch in evaluation) == 37


def test_with_epochs_every_pass_is_the_same() -> None:
    loader = small().numpy(epochs=2, columns=["sample"])
    first, second = ([ids.tolist() for (ids,) in loader] for _ in range(2))
    assert len(loader) == len(first) == 10
    assert first == second


def test_a_pass_that_runs_ends_where_a_state_is_loaded() -> None:
    """It would hand out its own next batch, and the place that was loaded would be lost."""
    loader = small().numpy()
    running = iter(loader)
    next(running)
    loader.load_state_dict(small().at(3).state())
    with pytest.raises(UsageError, match="while this pass ran"):
        next(running)
    assert loader.state_dict()["step"] == 3
    assert [seen(batch) for batch in loader] == [seen(batch) for batch in small().at(3).numpy()]
    for _ in loader:  # at its last batch a pass is over anyway
        if loader.state_dict()["step"] == 10:
            loader.load_state_dict(4)
    assert len(list(loader)) == 1


def test_after_a_pass_without_a_batch_the_next_is_whole() -> None:
    loader = small().at(15).numpy(3)
    assert [len(list(loader)) for _ in range(3)] == [0, 15, 15]


def test_a_shard_of_a_stream_that_was_left_begins_with_a_whole_pass() -> None:
    stream = small()
    next(iter(stream))
    assert len(list(stream.shard(1, 2))) == 5
    assert len(list(small().at(1).shard(1, 2))) == 4


def test_the_stream_follows_what_its_loaders_hand_out() -> None:
    stream = small(threads=2)
    for number, _ in enumerate(stream.numpy(epochs=2)):
        assert stream.state()["step"] == stream.step == number + 1
    assert stream.at(stream.state()).step == 10


def test_rank_and_world_may_change_between_interruptions() -> None:
    whole = np.concatenate([ids for (ids,) in small().numpy(2, columns=["sample"])])
    found: list[Any] = []
    state: Any = small().state()
    for world, steps in ((1, 3), (3, 3), (2, 1), (4, 3)):
        ranks = [small().at(state).shard(rank, world).numpy(2, columns=["sample"]) for rank in range(world)]
        running = [iter(rank) for rank in ranks]
        found += [next(rank)[0] for _ in range(steps) for rank in running]
        (state,) = {json.dumps(rank.state_dict()) for rank in ranks}
        state = json.loads(state)
    assert np.array_equal(np.concatenate(found), whole)


FOREIGN: list[tuple[dict[str, Any], str]] = [
    ({"seed": 4}, "seed"),
    ({"batch": 9}, "batch"),
    ({"policy": "none"}, "policy"),
    ({"split": "test", "policy": "none"}, "split"),
    ({"subset": 20}, "subset"),
    ({"drop_last": True}, "drop_last"),
    ({"count": 36}, "digest"),
]


@pytest.mark.parametrize(("options", "name"), FOREIGN)
def test_a_state_of_another_stream_is_refused_and_says_what_differs(options: dict[str, Any], name: str) -> None:
    state, stream = small(**options).state(), small()
    uses: list[Callable[[Any], Any]] = [stream.at, stream.numpy().load_state_dict]
    for use in uses:
        with pytest.raises(UsageError, match=f"(?s)another stream: .*{name}") as caught:
            use(state)
        assert str(state["stream"][name]) in str(caught.value)


@pytest.mark.parametrize(
    "state", [{}, {"step": 3}, {"step": -1}, -1, None, "3", {"step": 1, "version": 9, "stream": {}}]
)
def test_what_is_no_state(state: Any) -> None:
    with pytest.raises(UsageError, match=r"no state of a stream|step is out of range"):
        small().at(state)


@pytest.mark.parametrize("step", [-1, 1.5, None])
def test_a_state_with_an_impossible_step(step: Any) -> None:
    with pytest.raises(UsageError, match="step of the state is out of range"):
        small().at({**small().state(), "step": step})


def test_delivery_is_no_part_of_the_state() -> None:
    stream: DataStream = small()
    loader = stream.numpy(dtype="uint8")
    next(iter(loader))
    assert small(threads=0, read_ahead=1).at(loader.state_dict()).step == 1
