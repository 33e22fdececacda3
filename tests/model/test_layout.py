"""Parameter counts and offsets, by hand."""

import numpy as np
import pytest

from millrace.errors import UsageError
from millrace.model.layout import dense


@pytest.mark.parametrize(
    ("sizes", "count"),
    [((784, 999, 299, 10), 1086215), ((2, 4, 2), 22), ((64, 10), 650), ((3072, 1024, 512, 10), 3676682)],
)
def test_parameter_counts(sizes: tuple[int, ...], count: int) -> None:
    assert dense(sizes).parameters == count


def test_blocks_tile_the_vector_and_views_share_its_memory() -> None:
    layout = dense((2, 3, 2))
    assert [(b.name, b.begin, b.end, b.shape) for b in layout.blocks] == [
        ("0.weight", 0, 6, (2, 3)),
        ("0.bias", 6, 9, (3,)),
        ("1.weight", 9, 15, (3, 2)),
        ("1.bias", 15, 17, (2,)),
    ]
    flat = np.arange(17, dtype=np.float32)
    (first, bias), (second, last) = layout.views(flat)
    assert first.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert bias.tolist() == [6, 7, 8]
    assert second.tolist() == [[9, 10], [11, 12], [13, 14]]
    last[:] = -1
    assert flat[15:].tolist() == [-1, -1]


def test_runs_cut_at_block_borders() -> None:
    layout = dense((2, 3, 2))
    assert list(layout.runs(0, 17)) == [(0, 6, True), (6, 9, False), (9, 15, True), (15, 17, False)]
    assert list(layout.runs(4, 10)) == [(4, 6, True), (6, 9, False), (9, 10, True)]
    assert list(layout.runs(7, 8)) == [(7, 8, False)]
    assert list(layout.runs(3, 3)) == []


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0, 2), (1 << 20, 1 << 20), (-1, 2)])
def test_sizes_that_do_not_fit_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"does not fit|too large"):
        dense(sizes)
