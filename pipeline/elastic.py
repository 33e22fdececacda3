"""Elastic deformation: a smooth field of displacements for each sample, drawn on a coarse grid.

Simard, Steinkraus, Platt 2003 draw a displacement for every pixel and smooth it with a Gaussian. Here the control
points of a cubic B-spline are drawn, and the spline is the smooth field: the same kind at a small part of the cost. A
spline whose cells are h pixels wide is as smooth as a Gaussian of 0.58 h; with the largest move A of a control point
the field's standard deviation is about 0.28 A. (Simard's best, σ = 4 and α = 34 on 29×29, is a deviation of 1.4
pixels: four cells and A = 5 pixels, 0.17 of the side.)
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, I64, U32, In, Out2, kernel
from millrace.counters import Purpose, check_seed, each, lane, philox

F32Array = npt.NDArray[np.float32]


@kernel
def _draw(
    seed: U32,
    purpose: U32,
    samples: In[I64],
    epochs: In[U32],
    where: U32,
    wide: float,
    high: float,
    half: int,
    out: Out2[F32],
) -> None:
    cell = 2.0**-32
    count = out.shape[1]
    for row in range(samples.shape[0]):
        sample, epoch = np.uint32(samples[row]), epochs[row]
        for block in range((count + 3) // 4):
            a, b, c, d = philox(seed, purpose, sample, epoch, np.uint32(block), where)
            for place in range(4):
                at = block * 4 + place
                word = a if place == 0 else b if place == 1 else c if place == 2 else d
                if at < count:
                    reach = wide if at < half else high
                    out[row, at] = reach * (2.0 * ((np.float64(word) + 0.5) * cell) - 1.0)


def controls(
    samples: npt.NDArray[np.int64],
    amount: float,
    cells: int,
    *,
    height: int,
    width: int,
    seed: int,
    epoch: npt.ArrayLike,
    split: int = 0,
    replica: int = 0,
) -> F32Array:
    """The control points of samples (ids, int64 (n,)): float32 (n, 2, cells + 3, cells + 3), moves in x, then in y, in
    pixels, uniform in ± amount of the width and of the height. Control point i is word i % 4 of block i // 4."""
    side = cells + 3
    out = np.empty((len(samples), 2 * side * side), np.float32)
    key, where = np.uint32(check_seed(seed)), np.uint32(lane(split=split, replica=replica))
    ids = np.ascontiguousarray(samples, np.int64)
    reach = amount * width, amount * height, side * side
    _draw(key, np.uint32(Purpose.ELASTIC), ids, each(epoch, len(ids)), where, *reach, out)
    return out.reshape(len(samples), 2, side, side)


class Spline(NamedTuple):
    """The basis along one side: pixel p takes weights[p] of the control points first[p] … first[p] + 3.

    weights: float32 (pixels, 4). first: int64 (pixels,).
    """

    weights: F32Array
    first: npt.NDArray[np.int64]

    def spread(self, cells: int, room: int) -> F32Array:
        """The weights with their zeros: float32 (cells + 3, room), a row for each control point, then zeros."""
        whole = np.zeros((cells + 3, room), np.float32)
        for near in range(4):
            whole[self.first + near, np.arange(len(self.first))] = self.weights[:, near]
        return whole


def spline(pixels: int, cells: int) -> Spline:
    """The uniform cubic B-spline over `cells` cells that reach from the first pixel to the last."""
    place = np.arange(pixels) * cells / max(pixels - 1, 1)
    first = np.minimum(place.astype(np.int64), cells - 1)
    t = place - first
    u = 1.0 - t
    weights = [
        u * u * u / 6.0,
        (3.0 * (t * t * t) - 6.0 * (t * t) + 4.0) / 6.0,
        (3.0 * (u * u * u) - 6.0 * (u * u) + 4.0) / 6.0,
        t * t * t / 6.0,
    ]
    return Spline(np.stack(weights, axis=1).astype(np.float32), first)
