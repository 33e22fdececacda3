"""Draws against the words they come from; matrices against linear algebra and against hand-made pictures."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace import elementary
from millrace.counters import Purpose, lane, words
from millrace.errors import UsageError
from millrace.pipeline import PRESETS, Policy
from millrace.pipeline.draw import Draws, compose, draw
from millrace.pipeline.visited import PARAMETER_NAMES
from millrace.pipeline.warp import warp
from tests.chance import as_often_as, evenly_spread

WILD = Policy("wild", translate=0.3, rotate=180, scale=(0.3, 3.0), shear=0.7, flip=0.4)
F32 = npt.NDArray[np.float32]
STILL = np.array([0, 0, 0, 1, 1, 0, 0], np.float32)  # the parameters of the identity


def drawn(policy: Policy, count: int = 20_000, *, epoch: int = 0, split: int = 0, replica: int = 0) -> Draws:
    ids = np.arange(count)
    return draw(policy, ids, height=20, width=30, seed=4, epoch=epoch, split=split, replica=replica)


def unit(word: int) -> float:
    return (int(word) + 0.5) / 2**32


def from_words(policy: Policy, sample: int, epoch: int, where: int) -> list[np.float32]:
    """A row of parameters for images 20 high and 30 wide, seed 4, in plain Python numbers."""
    blocks = [words(4, Purpose.AUGMENT, sample, epoch, block, where)[0] for block in (0, 1)]
    a, b, c, d, e, f, g, _ = (unit(word) for block in blocks for word in block)
    low, high = policy.scale
    values = [
        policy.translate * 30 * (2 * a - 1),
        policy.translate * 20 * (2 * b - 1),
        policy.rotate * (2 * c - 1),
        low + (high - low) * d,
        low + (high - low) * e,
        policy.shear * (2 * f - 1),
        float(g < policy.flip),
    ]
    return [np.float32(value) for value in values]


@pytest.mark.parametrize("policy", [WILD, *PRESETS.values()], ids=lambda policy: policy.name)
def test_parameters_follow_from_the_words(policy: Policy) -> None:
    for epoch, split, replica in [(0, 0, 0), (3, 0, 0), (0, 1, 2)]:
        got = drawn(policy, 50, epoch=epoch, split=split, replica=replica).parameters
        assert got.shape == (50, len(PARAMETER_NAMES))
        assert got.dtype == np.float32
        expected = [from_words(policy, sample, epoch, lane(split=split, replica=replica)) for sample in range(50)]
        assert np.array_equal(got, np.array(expected, np.float32))


def test_a_draw_belongs_to_its_sample_wherever_it_stands() -> None:
    ids = np.array([5, 0, 1 << 31, 5])
    got = draw(WILD, ids, height=20, width=30, seed=4, epoch=1)
    whole = draw(WILD, np.arange(10), height=20, width=30, seed=4, epoch=1)
    assert np.array_equal(got.parameters[[0, 1, 3]], whole.parameters[[5, 0, 5]])
    assert np.array_equal(got.matrices[[0, 1, 3]], whole.matrices[[5, 0, 5]])
    alone = draw(WILD, ids[2:3], height=20, width=30, seed=4, epoch=1)
    assert np.array_equal(got.parameters[2:3], alone.parameters)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("dx", -9, 9),
        ("dy", -6, 6),
        ("angle", -180, 180),
        ("scale_x", 0.3, 3),
        ("scale_y", 0.3, 3),
        ("shear", -0.7, 0.7),
    ],
)
def test_parameters_fill_their_ranges_evenly(name: str, low: float, high: float) -> None:
    values = drawn(WILD).parameters[:, PARAMETER_NAMES.index(name)].astype(np.float64)
    assert values.min() >= low
    assert values.max() <= high * (1 + 1e-7)
    assert evenly_spread((values - low) / (high - low)) > 1e-3


def test_flips_come_as_often_as_asked() -> None:
    flips = drawn(WILD).parameters[:, PARAMETER_NAMES.index("flip")]
    assert set(flips.tolist()) == {0.0, 1.0}
    assert as_often_as(0.4, int(flips.sum()), len(flips)) > 1e-3
    assert drawn(Policy(flip=1.0)).parameters[:, -1].min() == 1.0
    assert drawn(Policy(flip=0.0)).parameters[:, -1].max() == 0.0


def test_parameters_are_independent_of_each_other_and_of_other_epochs() -> None:
    columns = np.concatenate([drawn(WILD).parameters, drawn(WILD, epoch=1).parameters], axis=1)
    cross = np.corrcoef(columns.T)
    assert np.abs(cross - np.eye(len(cross))).max() < 5 / math.sqrt(len(columns))


def test_a_policy_without_extent_draws_the_identity() -> None:
    got = drawn(Policy(), 100)
    assert np.array_equal(got.parameters, np.tile(STILL, (100, 1)))
    assert not np.signbit(got.parameters).any()
    assert np.array_equal(got.matrices, np.tile(np.array([1, 0, 0, 0, 1, 0]), (100, 1)))


def test_each_range_moves_its_own_parameters_alone() -> None:
    moved = {"translate": (0, 1), "rotate": (2,), "scale": (3, 4), "shear": (5,), "flip": (6,)}
    for field, columns in moved.items():
        policy = Policy(**{field: (0.5, 2.0) if field == "scale" else 0.5})  # type: ignore[arg-type]
        different = (drawn(policy, 200).parameters != STILL).any(axis=0)
        assert tuple(np.flatnonzero(different)) == columns


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(UsageError, match="seed"):
        draw(WILD, np.arange(2), height=4, width=4, seed=seed, epoch=0)


def there(row: F32, height: int, width: int) -> npt.NDArray[np.float64]:
    """The 3×3 matrix from source to output, one factor for each parameter, in coordinates x right, y down."""
    dx, dy, angle, scale_x, scale_y, shear, flip = (float(value) for value in row)
    to_center = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
    mirror = np.diag([-1.0 if flip else 1.0, 1, 1])
    scale = np.diag([scale_x, scale_y, 1])
    slant = np.array([[1, shear, 0], [0, 1, 0], [0, 0, 1]])
    turn = math.radians(angle)
    rotation = np.array([[math.cos(turn), math.sin(turn), 0], [-math.sin(turn), math.cos(turn), 0], [0, 0, 1]])
    shift = np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]])
    result: npt.NDArray[np.float64] = shift @ np.linalg.inv(to_center) @ rotation @ slant @ scale @ mirror @ to_center
    return result


@pytest.mark.parametrize(("height", "width"), [(1, 1), (28, 28), (20, 30), (7, 40)])
def test_matrices_are_the_inverse_of_all_steps(height: int, width: int) -> None:
    got = draw(WILD, np.arange(300), height=height, width=width, seed=9, epoch=2)
    for row, matrix in zip(got.parameters, got.matrices, strict=True):
        back = np.linalg.inv(there(row, height, width))[:2].ravel()
        assert matrix == pytest.approx(back, rel=1e-6, abs=2e-5)


PARAMETERS = st.tuples(
    *[st.floats(-50, 50, width=32)] * 2,
    st.floats(-180, 180, width=32),
    *[st.floats(0.125, 8, width=32)] * 2,
    st.floats(-2, 2, width=32),
    st.sampled_from([0.0, 1.0]),
)


@given(row=PARAMETERS, height=st.integers(1, 50), width=st.integers(1, 50))
@settings(deadline=None)
def test_matrices_are_plain_arithmetic(row: tuple[float, ...], height: int, width: int) -> None:
    """The same operations on Python's numbers give the same bits: nothing is fused, nothing reordered."""
    dx, dy, angle, scale_x, scale_y, shear, flip = row
    cosine, sine = elementary.cos(angle * 0.017453292519943295), elementary.sin(angle * 0.017453292519943295)
    across, down = (-1.0 / scale_x if flip else 1.0 / scale_x), 1.0 / scale_y
    x, y = (width - 1) / 2, (height - 1) / 2
    m0, m1, m3, m4 = across * (cosine - shear * sine), across * (-sine - shear * cosine), down * sine, down * cosine
    m2 = x - (m0 * (x + dx) + m1 * (y + dy))
    m5 = y - (m3 * (x + dx) + m4 * (y + dy))
    expected = np.array([m0, m1, m2, m3, m4, m5]).astype(np.float32)
    got = compose(np.array([row], np.float32), height=height, width=width)[0]
    assert np.array_equal(got.view(np.uint32), expected.view(np.uint32))


def seen(image: npt.ArrayLike, **changed: float) -> npt.NDArray[np.uint8]:
    """An image of shape (H, W) through the matrix of the identity with some parameters changed."""
    pixels = np.array(image, np.uint8)
    row = [changed.get(name, 1.0 if name.startswith("scale") else 0.0) for name in PARAMETER_NAMES]
    matrix = compose(np.array([row], np.float32), height=pixels.shape[0], width=pixels.shape[1])
    result: npt.NDArray[np.uint8] = warp(pixels[None, None], np.zeros(1, np.int64), matrix)[0, 0]
    return result


F = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]], np.uint8) * 10
WIDE = np.arange(1, 16, dtype=np.uint8).reshape(3, 5) * 16


def test_a_shift_moves_content_right_and_down() -> None:
    assert seen(F, dx=1).tolist() == [[0, *row[:3]] for row in F.tolist()]
    assert seen(F, dx=-2).tolist() == [[*row[2:], 0, 0] for row in F.tolist()]
    assert seen(F, dy=1).tolist() == [[0] * 4, *F.tolist()[:3]]
    assert seen(F, dy=4).tolist() == [[0] * 4] * 4
    assert seen([[100, 200]], dx=0.5).tolist() == [[50, 150]]


@pytest.mark.parametrize("image", [F, F[:3, :3]])
def test_a_positive_angle_turns_counter_clockwise_as_seen(image: npt.NDArray[np.uint8]) -> None:
    assert np.array_equal(seen(image, angle=90), np.rot90(image))
    assert np.array_equal(seen(image, angle=-90), np.rot90(image, -1))
    assert np.array_equal(seen(image, angle=180), np.rot90(image, 2))


def test_half_a_turn_of_a_wide_image() -> None:
    assert np.array_equal(seen(WIDE, angle=180), WIDE[::-1, ::-1])
    # A quarter turn about the centre keeps the middle square.
    assert np.array_equal(seen(WIDE, angle=90)[:, 1:4], np.rot90(WIDE[:, 1:4]))


@pytest.mark.parametrize("image", [F, WIDE])
def test_a_flip_mirrors_left_and_right(image: npt.NDArray[np.uint8]) -> None:
    assert np.array_equal(seen(image, flip=1), image[:, ::-1])


def test_a_scale_enlarges_about_the_centre() -> None:
    point = np.zeros((5, 5), np.uint8)
    point[2, 3] = 200
    assert seen(point, scale_x=2)[2].tolist() == [0, 0, 0, 100, 200]
    assert seen(point, scale_x=2)[[0, 1, 3, 4]].max() == 0
    assert seen(point, scale_y=2)[:, 3].tolist() == [0, 100, 200, 100, 0]
    assert seen(WIDE, scale_x=0.5)[:, [0, 4]].max() == 0
    assert np.array_equal(seen(WIDE, scale_x=0.5)[:, 1:4], WIDE[:, ::2])


def test_a_shear_moves_lower_rows_right() -> None:
    image = np.full((3, 5), 0, np.uint8)
    image[:, 2] = 90
    assert seen(image, shear=1).tolist() == [[0, 90, 0, 0, 0], [0, 0, 90, 0, 0], [0, 0, 0, 90, 0]]
    assert seen(image, shear=-2).tolist() == [[0, 0, 0, 0, 90], [0, 0, 90, 0, 0], [90, 0, 0, 0, 0]]


def test_the_steps_come_in_their_order() -> None:
    assert np.array_equal(seen(F, flip=1, angle=90), np.rot90(F[:, ::-1]))
    shifted = np.zeros_like(F)
    shifted[:, 1:] = np.rot90(F)[:, :3]
    assert np.array_equal(seen(F, angle=90, dx=1), shifted)
    # Scaled first, then turned: the horizontal scale shows vertically.
    line = np.zeros((5, 5), np.uint8)
    line[2, 2:4] = 80
    assert seen(line, scale_x=2, angle=90)[:, 2].tolist() == [80, 80, 80, 40, 0]
    # Scaled first, then sheared: rows have moved apart before they slide.
    column = np.zeros((5, 5), np.uint8)
    column[3, 2] = 80
    assert seen(column, scale_y=2, shear=1)[4].tolist() == [0, 0, 0, 0, 80]
