"""Ranks: together the step in the same bits, none repeated, none lost, and the gradient of one."""

import numpy as np
import pyarrow as pa
import pytest

import millrace
from millrace.errors import UsageError
from tests.library.pictures import pictures, small


@pytest.mark.parametrize("world", [1, 2, 3, 5, 7, 8, 11])
def test_all_ranks_together_are_the_step(world: int) -> None:
    stream = small()
    ranks = [stream.shard(rank, world) for rank in range(world)]
    assert {len(rank) for rank in ranks} == {5}
    for step in (0, 3, 4, 9, 22):
        parts = [rank[step] for rank in ranks]
        whole = pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
        assert whole.equals(stream[step], check_metadata=True)
        sizes = [part.num_rows for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_every_rank_has_as_many_batches_and_empty_ones_keep_their_shape() -> None:
    batches = [list(small().shard(rank, 7).numpy(epochs=2, layout="NHWC")) for rank in range(7)]
    assert {len(rank) for rank in batches} == {10}
    last = [rank[4] for rank in batches]  # five rows for seven ranks
    assert sorted(len(images) for images, _ in last) == [0, 0, 1, 1, 1, 1, 1]
    assert {images.shape[1:] for images, _ in last} == {(6, 7, 3)}
    assert {(images.dtype, labels.dtype) for images, labels in last} == {(np.dtype("f4"), np.dtype("i4"))}


@pytest.mark.parametrize("world", [2, 3, 7])
def test_with_weights_the_mean_over_ranks_is_the_gradient_of_one(world: int) -> None:
    """Least squares, whose gradient is known: mean over a step of 2 (x·w − y) x."""
    stream, point = small(), np.linspace(-1, 1, 126)

    def gradients(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        rows = images.reshape(-1, 126).astype(np.float64)
        slopes: np.ndarray = 2 * (rows @ point - labels)[:, None] * rows
        return slopes

    columns = ("image", "label", "weight")
    ranks = [list(stream.shard(rank, world).numpy(columns=columns)) for rank in range(world)]
    for step, (images, labels) in enumerate(stream.numpy()):
        parts = [(gradients(x, y) * weight[:, None]).sum(axis=0) for x, y, weight in (rank[step] for rank in ranks)]
        np.testing.assert_allclose(np.mean(parts, axis=0), gradients(images, labels).mean(axis=0), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("world", [1, 2, 3, 4, 13])
def test_an_evaluation_over_ranks_counts_every_sample_once(world: int) -> None:
    stream = millrace.stream(pictures(), batch=10, split="test")
    counted = [
        sample
        for rank in range(world)
        for (ids,) in stream.shard(rank, world).numpy(columns=["sample"])
        for sample in ids
    ]
    assert sorted(counted) == list(range(37))


@pytest.mark.parametrize(("rank", "world"), [(0, 0), (2, 2), (-1, 2), (0.5, 2), (0, "2"), (0, -3)])
def test_ranks_that_cannot_be(rank: int, world: int) -> None:
    with pytest.raises(UsageError, match=r"(world|rank) is out of range"):
        small().shard(rank, world)


def test_a_shard_is_not_cut_again() -> None:
    with pytest.raises(UsageError, match="cannot be cut again"):
        small().shard(0, 2).shard(1, 2)
