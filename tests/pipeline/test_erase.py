"""Random erasing: rectangles of the promised sizes, blanked and nothing else."""

import numpy as np
import numpy.typing as npt
import pytest

from millrace.errors import UsageError
from millrace.pipeline import Policy, reference
from millrace.pipeline.erase import boxes, erase


def drawn(count: int, probability: float, area: tuple[float, float] = (0.05, 0.3)) -> npt.NDArray[np.int64]:
    return boxes(np.arange(count), probability, area, height=30, width=40, seed=1, epoch=2)


def test_as_often_and_as_large_as_asked() -> None:
    found = drawn(4000, 0.3)
    tall, wide = found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]
    there = tall > 0
    assert there.mean() == pytest.approx(0.3, abs=0.03)
    assert not found[~there].any()
    part = (tall * wide)[there] / 1200
    assert part.min() > 0.03
    assert part.max() < 0.33
    assert part.mean() == pytest.approx(0.17, abs=0.01)
    assert found[:, :2].min() == 0
    assert found[:, 2].max() == 30
    assert found[:, 3].max() == 40
    shape = (tall / np.maximum(wide, 1))[there]
    assert 0.25 < shape.min() < 0.4
    assert 2.5 < shape.max() < 4


def test_never_and_always() -> None:
    assert not drawn(50, 0.0).any()
    assert (drawn(50, 1.0)[:, 2] > 0).all()
    whole = boxes(np.arange(20), 1.0, (1.0, 1.0), height=5, width=5, seed=1, epoch=0)
    assert (whole[:, 2:] - whole[:, :2] >= 2).all()
    assert whole.max() == 5


def test_equal_to_the_reference() -> None:
    images = np.random.default_rng(0).integers(1, 256, (60, 3, 30, 40), np.uint8)
    rectangles = drawn(60, 0.7)
    expected = reference.erase(images, rectangles)
    erase(images, rectangles)
    assert np.array_equal(images, expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"elastic": 0.6},
        {"elastic": -0.1},
        {"elastic_cells": 0},
        {"elastic_cells": 17},
        {"elastic_cells": 2.0},
        {"erase": 1.1},
        {"erase_area": (0.3, 0.2)},
        {"erase_area": (0.0, 0.2)},
        {"erase_area": 0.2},
    ],
)
def test_impossible_ranges_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Policy(**changes)  # type: ignore[arg-type]


def test_what_is_off_is_not_written() -> None:
    assert set(Policy().as_dict()) == {"name", "translate", "rotate", "scale", "shear", "flip"}
    assert Policy(elastic=0.1).as_dict()["elastic_cells"] == 4
    assert Policy(erase=0.1).as_dict()["erase_area"] == [0.02, 0.2]
    assert not Policy(elastic=0.1).is_identity
    assert not Policy(erase=0.1).is_identity
