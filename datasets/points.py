"""Points in the plane, made from a seed: two spirals, a disc in a ring, or four Gaussian clusters in two classes.

A point is a row with two planes of one pixel, its x and its y, uint8 (2, 1, 1): coordinates from −1 to 1 stand on a
grid of 256 × 256 places, 0 to 255. So points are trained, streamed and exported as images are, and a network can
be asked for all its possible inputs.

The dataset's seed is part of its name (points-circles-7; 0 where none stands); a run's seed does not change it.
Point i of a split is drawn from the counters (i, 0, 0 and 1, split).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.counters import Purpose, lane, uniform, words
from millrace.datasets.arrays import Arrays, U8Array
from millrace.datasets.points_names import CLASSES, TEST_ROWS, TRAIN_ROWS, parse
from millrace.elementary import cos, normals, sin
from millrace.errors import UsageError

TRAIN_SPLIT, TEST_SPLIT = 0, 2
GRID = 256

Draw = npt.NDArray[np.float64]


def _spirals(label: Draw, along: Draw, noise: Draw) -> tuple[Draw, Draw]:
    """Two arms of one and a half turns, a half turn apart."""
    turn = 2 * np.pi * 1.5 * along + np.pi * label
    radius = 0.06 + 0.84 * along
    return radius * cos(turn) + 0.03 * noise[:, 0], radius * sin(turn) + 0.03 * noise[:, 1]


def _circles(label: Draw, along: Draw, noise: Draw) -> tuple[Draw, Draw]:
    """A circle of radius 0.3 in one of radius 0.75, both blurred."""
    turn, radius = 2 * np.pi * along, 0.3 + 0.45 * label + 0.08 * noise[:, 0]
    return radius * cos(turn), radius * sin(turn)


def _clusters(label: Draw, along: Draw, noise: Draw) -> tuple[Draw, Draw]:
    """Four clusters at the corners of a square; opposite ones are of one class, so no line parts the classes."""
    right = np.where(along < 0.5, -1.0, 1.0)
    upper = np.where(label == 0, right, -right)
    return 0.45 * right + 0.15 * noise[:, 0], 0.45 * upper + 0.15 * noise[:, 1]


KINDS: dict[str, Callable[[Draw, Draw, Draw], tuple[Draw, Draw]]] = {
    "spirals": _spirals,
    "circles": _circles,
    "clusters": _clusters,
}


def read_points(name: str) -> Arrays:
    """Training and test arrays of the points of this name; classes take turns."""
    parsed = parse(name)
    if parsed is None:
        raise UsageError("not the name of points", expected="points[-KIND][-SEED]", got=name)
    kind, seed = KINDS[parsed[0]], parsed[1]
    return Arrays(*_split(kind, seed, TRAIN_SPLIT, TRAIN_ROWS), *_split(kind, seed, TEST_SPLIT, TEST_ROWS))


def _split(kind: Callable[..., Any], seed: int, split: int, rows: int) -> tuple[U8Array, U8Array]:
    index, own_lane = np.arange(rows), lane(split=split)
    first = uniform(words(seed, Purpose.POINTS, index, 0, 0, own_lane))
    noise = normals(words(seed, Purpose.POINTS, index, 0, 1, own_lane))
    labels = (index % CLASSES).astype(np.uint8)
    x, y = kind(labels.astype(np.float64), first[:, 0], noise)
    return np.stack([on_grid(x), on_grid(y)], axis=1).reshape(rows, 2, 1, 1), labels


def on_grid(coordinate: Draw) -> U8Array:
    """Coordinates from −1 to 1 as places 0 to 255, the nearest, half to even; what lies beyond goes to the edge."""
    placed: U8Array = np.clip(np.rint((coordinate + 1) * 127.5), 0, GRID - 1).astype(np.uint8)
    return placed
