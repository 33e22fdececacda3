"""Points: made from the seed alone, of the forms they should have, trained like images."""

import numpy as np
import numpy.typing as npt
import pytest

from millrace import datasets
from millrace.datasets import points
from millrace.datasets.catalogue import find
from millrace.errors import UsageError

NAMES = ["points", "points-circles", "points-clusters", "points-spirals-3", "points-7"]
# Digests of the content: the same on every machine.
DIGESTS = {
    "points": "b163130f865344652814834d1d3332dfd907dbb3b28f2a8cd807807a42adf749",
    "points-circles": "f21d4eeb21f762e3aad6f24d09a085d02d9069419c57dd313474f0e5db1f2a06",
    "points-clusters": "45a9801d618388b0bd8779fc438d9a0a7cd6c92ac18185b5724b799c049addc9",
}


def coordinates(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """x and y of points, from -1 to 1: shape (2, n)."""
    return np.asarray(images[:, :, 0, 0].T / 127.5 - 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_rows_shapes_and_classes(name: str) -> None:
    data = datasets.load(find(name))
    assert data.spec.name == name
    for table, rows in ((data.train, 1000), (data.test, 1000)):
        images, labels = datasets.images(table), datasets.labels(table)
        assert images.shape == (rows, 2, 1, 1)
        assert np.bincount(labels).tolist() == [rows // 2] * 2


@pytest.mark.parametrize("name", list(DIGESTS))
def test_the_content_never_changes(name: str) -> None:
    assert datasets.load(find(name)).digest == DIGESTS[name]


def test_names_for_the_same_points() -> None:
    one, other = points.read_points("points"), points.read_points("points-spirals-0")
    assert np.array_equal(one.train_images, other.train_images)
    assert not np.array_equal(one.train_images, points.read_points("points-1").train_images)
    assert not np.array_equal(one.train_images, one.test_images)


def test_circles_lie_in_a_ring() -> None:
    data = points.read_points("points-circles")
    radius = np.hypot(*coordinates(data.train_images))
    inner, outer = radius[data.train_labels == 0], radius[data.train_labels == 1]
    assert inner.mean() == pytest.approx(0.3, abs=0.02)
    assert outer.mean() == pytest.approx(0.75, abs=0.02)
    assert outer.std() == pytest.approx(0.08, abs=0.01)


def test_clusters_are_opposite() -> None:
    data = points.read_points("points-clusters-5")
    x, y = coordinates(data.test_images)
    same = (x > 0) == (y > 0)
    assert (same == (data.test_labels == 0)).mean() > 0.99
    assert np.abs(x).mean() == pytest.approx(0.45, abs=0.02)


def test_spirals_are_half_a_turn_apart() -> None:
    data = points.read_points("points")
    x, y = coordinates(data.train_images)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    straight = np.mod(angle - 3 * np.pi * (radius - 0.06) / 0.84, 2 * np.pi)
    far = radius > 0.3
    first = np.cos(straight[far & (data.train_labels == 0)])
    assert first.mean() > 0.9
    assert np.cos(straight[far & (data.train_labels == 1)]).mean() < -0.9


def test_the_grid_holds_the_square() -> None:
    assert points.on_grid(np.array([-9.0, -1.0, 0.0, 1.0, 9.0])).tolist() == [0, 0, 128, 255, 255]


def test_other_names_are_refused() -> None:
    with pytest.raises(UsageError, match="out of range"):
        find("points-circles-4294967296")
    with pytest.raises(UsageError, match="did you mean 'points-circles'"):
        find("points-circle")
