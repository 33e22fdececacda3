"""Elastic deformation: kernel against reference in every bit, field against scipy's splines and counters."""

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.interpolate import BSpline

from millrace.counters import Purpose, lane, uniform, words
from millrace.errors import UsageError
from millrace.pipeline import Policy, reference
from millrace.pipeline.bend import bend
from millrace.pipeline.draw import draw
from millrace.pipeline.elastic import F32Array, controls, spline
from millrace.pipeline.stream import augmented
from millrace.pipeline.visited import U8Array
from millrace.pipeline.warp import warp

WILD = Policy("wild", translate=0.2, rotate=180, scale=(0.5, 2.0), shear=0.5, flip=0.4)


def noise(*shape: int, seed: int = 0) -> U8Array:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def fields(count: int, cells: int, height: int, width: int, amount: float = 0.2, **which: int) -> F32Array:
    where: dict[str, Any] = {"height": height, "width": width, "seed": 3, "epoch": 0, **which}
    return controls(np.arange(count), amount, cells, **where)


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)),
    cells=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_equal_to_the_reference(shape: tuple[int, int, int], cells: int, seed: int) -> None:
    channels, height, width = shape
    images, rows = noise(3, channels, height, width, seed=seed), np.array([2, 0, 2, 1])
    matrices = draw(WILD, np.arange(4), height=height, width=width, seed=seed, epoch=0).matrices
    points = fields(4, cells, height, width, 0.5, seed=seed)
    got = bend(images, rows, matrices, points)
    assert np.array_equal(got, reference.bend(images, rows, matrices, points))


def test_a_field_of_zeros_is_the_warp() -> None:
    images, matrices = noise(6, 3, 17, 23), draw(WILD, np.arange(6), height=17, width=23, seed=1, epoch=0).matrices
    still = np.zeros((6, 2, 7, 7), np.float32)
    assert np.array_equal(bend(images, np.arange(6), matrices, still), warp(images, np.arange(6), matrices))


def test_an_even_field_is_a_shift() -> None:
    images, identity = noise(1, 1, 9, 9), np.array([[1, 0, 0, 0, 1, 0]], np.float32)
    points = np.zeros((1, 2, 5, 5), np.float32)
    points[:, 0], points[:, 1] = 2, -1
    got = bend(images, np.array([0]), identity, points)[0, 0]
    assert np.abs(got[1:, :7].astype(int) - images[0, 0, :8, 2:]).max() <= 1  # weights sum to 1 but for rounding


@pytest.mark.parametrize(("pixels", "cells"), [(28, 4), (32, 5), (9, 1), (2, 3), (1, 2), (5, 16)])
def test_the_basis_is_that_of_scipy(pixels: int, cells: int) -> None:
    whole = spline(pixels, cells).spread(cells, pixels + 3)
    where = np.arange(pixels) * cells / max(pixels - 1, 1)
    knots = np.arange(-3, cells + 4)
    for k in range(cells + 3):
        one = BSpline(knots, np.eye(cells + 3)[k], 3)(where)
        assert whole[k, :pixels] == pytest.approx(one, abs=1e-6)
    assert not whole[:, pixels:].any()
    assert whole[:, :pixels].sum(axis=0) == pytest.approx(np.ones(pixels), abs=1e-6)


def test_bent_pixels_are_those_of_scipy_within_a_grey_level() -> None:
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).random((28, 28)), 2)
    image = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    identity, points = np.array([[1, 0, 0, 0, 1, 0]], np.float32), fields(1, 4, 28, 28)
    got = bend(image[None, None], np.array([0]), identity, points)[0, 0]
    y, x = np.mgrid[0:28, 0:28].astype(np.float64)
    where = [y + reference.moves(points[0, 1], 28, 28), x + reference.moves(points[0, 0], 28, 28)]
    theirs = ndimage.map_coordinates(image.astype(np.float64), where, order=1, mode="grid-constant", cval=0)
    assert np.abs(got - theirs).max() <= 1


def test_control_points_are_drawn_by_counter() -> None:
    samples = np.array([7, 0, 4_000_000_000])
    points = controls(samples, 0.25, 2, height=8, width=16, seed=9, epoch=5, split=2, replica=1)
    assert points.shape == (3, 2, 5, 5)
    for at, sample in enumerate(samples.tolist()):
        drawn = uniform(words(9, Purpose.ELASTIC, sample, 5, np.arange(13), lane(split=2, replica=1))).reshape(-1)[:50]
        expected = (2 * drawn - 1) * np.repeat([4.0, 2.0], 25)
        assert points[at].reshape(-1) == pytest.approx(expected, rel=1e-6)


def test_the_deviation_of_the_field_is_as_documented() -> None:
    points = fields(300, 4, 28, 28, 5 / 28)
    field = np.stack([reference.moves(p, 28, 28) for p in points[:, 0]])
    assert field.std() == pytest.approx(0.28 * 5, rel=0.05)
    assert np.abs(field).max() <= 5
    # Neighbours move together.
    assert np.abs(np.diff(field, axis=2)).max() < 1.5


def test_what_does_not_fit_is_refused() -> None:
    images, identity = noise(1, 1, 9, 9), np.array([[1, 0, 0, 0, 1, 0]], np.float32)
    for points in (np.zeros((1, 2, 3, 3)), np.zeros((2, 2, 5, 5)), np.zeros((1, 1, 5, 5)), np.zeros((1, 2, 5, 6))):
        with pytest.raises(UsageError, match="do not fit"):
            bend(images, np.array([0]), identity, points.astype(np.float32))
    with pytest.raises(UsageError, match="outside"):
        bend(images, np.array([1]), identity, np.zeros((1, 2, 5, 5), np.float32))


PROMISED = {
    "bent": "a06f1359408dc7de55c99caf05a99d6a",
    "bent and erased": "b8a235a6ce523721a58418ccebedb252",
    "erased": "d0f5a4ed4eee1b2a854621930693c716",
}
POLICIES = {
    "bent": Policy("bent", translate=0.1, rotate=15, elastic=0.17),
    "bent and erased": Policy("both", rotate=10, elastic=0.1, elastic_cells=7, erase=0.5),
    "erased": Policy("erased", erase=0.9, erase_area=(0.1, 0.5)),
}


@pytest.mark.parametrize("name", PROMISED)
def test_the_bits_are_those_of_every_machine(name: str) -> None:
    total = hashlib.sha256()
    for shape in ((1, 28, 28), (3, 32, 32), (2, 5, 9)):
        size = int(np.prod(shape))
        images = words(5, 999, np.arange(10 * size)).astype(np.uint8).reshape(40, *shape)
        for epoch in (0, 3):
            pixels, drawn = augmented(images, np.arange(40), POLICIES[name], seed=2026, epoch=epoch, split=1)
            total.update(pixels.tobytes() + drawn.tobytes())
    assert total.hexdigest()[:32] == PROMISED[name]
