"""The warp against its reference in every bit, against scipy within one grey level, against what is plain to see."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from millrace.errors import UsageError
from millrace.pipeline import Policy, reference
from millrace.pipeline.draw import draw
from millrace.pipeline.visited import U8Array
from millrace.pipeline.warp import LARGEST_SIDE, warp

WILD = Policy("wild", translate=0.3, rotate=180, scale=(0.3, 3.0), shear=0.7, flip=0.4)
IDENTITY = np.array([1, 0, 0, 0, 1, 0], np.float32)
F32 = npt.NDArray[np.float32]


def noise(*shape: int, seed: int = 0) -> U8Array:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def drawn(count: int, height: int, width: int, seed: int = 0) -> F32:
    return draw(WILD, np.arange(count), height=height, width=width, seed=seed, epoch=0).matrices


def check(images: U8Array, rows: npt.ArrayLike, matrices: npt.ArrayLike) -> U8Array:
    """The warp of the images, once it is known to be that of the reference."""
    where, how = np.array(rows, np.int64), np.array(matrices, np.float32)
    got = warp(images, where, how)
    assert got.dtype == np.uint8
    assert np.array_equal(got, reference.warp(images, where, how))
    return got


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=120, deadline=None)
def test_equal_to_the_reference(shape: tuple[int, int, int], seed: int) -> None:
    channels, height, width = shape
    images = noise(3, channels, height, width, seed=seed)
    check(images, [2, 0, 2, 1, 1], drawn(5, height, width, seed))


ENTRY = st.floats(width=32, allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1e-30])


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)),
    matrix=st.tuples(ENTRY, ENTRY, ENTRY, ENTRY, ENTRY, ENTRY),
)
@settings(max_examples=150, deadline=None)
@example(shape=(1, 5, 5), matrix=(3e38, -3e38, 3e38, -3e38, 3e38, 3e38))
@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")  # of the reference, in NumPy
def test_equal_for_matrices_beyond_all_sense(shape: tuple[int, int, int], matrix: tuple[float, ...]) -> None:
    check(noise(1, *shape), [0], [matrix])


@given(
    across=st.floats(-3, 3, width=32),
    down=st.floats(-3, 3, width=32),
    size=st.integers(1, 12),
)
@settings(deadline=None)
def test_edges_fade_into_the_frame(across: float, down: float, size: int) -> None:
    """Shifts by parts of a pixel, where each output pixel near the edge mixes image and frame."""
    image = np.full((1, 1, size, size), 255, np.uint8)
    got = check(image, [0], [[1, 0, -across, 0, 1, -down]])[0, 0]
    pixel = np.arange(size)
    weight_x = np.clip(np.minimum(pixel - across + 1, size - pixel + across), 0, 1)
    weight_y = np.clip(np.minimum(pixel - down + 1, size - pixel + down), 0, 1)
    assert np.abs(got - 255.0 * weight_y[:, None] * weight_x[None, :]).max() <= 0.51


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 9, 31), (1, 1, 1), (1, 1, 17), (3, 40, 5)])
def test_scipy_within_one_grey_level(shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    images = noise(20, *shape)
    matrices = drawn(20, height, width)
    got = warp(images, np.arange(20), matrices)
    exact = 0
    for image, matrix, mine in zip(images, matrices.astype(np.float64), got, strict=True):
        # scipy speaks of (row, column), the matrix of (x, y).
        turn, shift = matrix[[4, 3, 1, 0]].reshape(2, 2), matrix[[5, 2]]
        for channel in range(channels):
            theirs = ndimage.affine_transform(
                image[channel].astype(np.float64), turn, shift, order=1, mode="grid-constant", cval=0.0
            )
            assert np.abs(mine[channel] - theirs).max() <= 1
            exact += int((mine[channel] == np.rint(theirs)).sum())
    assert exact >= 0.999 * got.size


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (4, 1, 1), (2, 7, 19)])
def test_the_identity_changes_nothing(shape: tuple[int, int, int]) -> None:
    images = noise(4, *shape)
    assert np.array_equal(check(images, [0, 1, 2, 3], [IDENTITY] * 4), images)


@pytest.mark.parametrize(("across", "down"), [(0, 0), (1, 0), (-2, 3), (6, 0), (7, 0), (0, -4), (0, 5), (1000, 0)])
def test_shifts_by_whole_pixels_are_exact(across: int, down: int) -> None:
    images = noise(1, 2, 5, 7)
    expected = np.zeros_like(images)
    for y in range(5):
        for x in range(7):
            if 0 <= y - down < 5 and 0 <= x - across < 7:
                expected[0, :, y, x] = images[0, :, y - down, x - across]
    assert np.array_equal(check(images, [0], [[1, 0, -across, 0, 1, -down]]), expected)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [((0, 1), 0), ((1, 2), 2), ((2, 3), 2), ((3, 4), 4), ((254, 255), 254), ((10, 20), 15)],
)
def test_halves_round_to_even(pair: tuple[int, int], expected: int) -> None:
    image = np.array([[[pair]]], np.uint8)
    assert check(image, [0], [[1, 0, 0.5, 0, 1, 0]])[0, 0, 0, 0] == expected


def test_every_entry_of_the_matrix_does_its_part() -> None:
    images = np.arange(1, 10, dtype=np.uint8).reshape(1, 1, 3, 3) * 10
    plane = images[0, 0].tolist()

    def source(x: int, y: int) -> int:
        return int(plane[y][x]) if 0 <= x < 3 and 0 <= y < 3 else 0

    for matrix in ([0, 1, 0, 1, 0, 0], [2, 0, 0, 0, 1, 0], [1, 0, 0, 1, 1, -1], [1, 1, -1, 0, -1, 2]):
        a, b, c, d, e, f = matrix
        expected = [[source(a * x + b * y + c, d * x + e * y + f) for x in range(3)] for y in range(3)]
        assert check(images, [0], [matrix])[0, 0].tolist() == expected


def test_channels_do_not_mix() -> None:
    images = np.zeros((1, 3, 12, 12), np.uint8)
    images[0, 1] = 255
    got = check(images, [0], drawn(1, 12, 12))[0]
    assert got[[0, 2]].max() == 0
    assert got[1].max() == 255


def test_samples_do_not_mix() -> None:
    images, matrices = noise(6, 1, 11, 13), drawn(6, 11, 13)
    together = warp(images, np.array([3, 3, 5, 0, 1, 2]), matrices)
    for index, row in enumerate([3, 3, 5, 0, 1, 2]):
        alone = warp(images, np.array([row]), matrices[index : index + 1])
        assert np.array_equal(together[index], alone[0])
    assert np.array_equal(warp(images[3:4], np.zeros(1, np.int64), matrices[:1])[0], together[0])


def test_inputs_may_be_read_only_and_stay_as_they_are() -> None:
    images, rows, matrices = noise(4, 1, 9, 9), np.array([1, 3]), drawn(2, 9, 9)
    kept = images.copy(), rows.copy(), matrices.copy()
    for argument in (images, rows, matrices):
        argument.flags.writeable = False
    got = warp(images, rows, matrices)
    assert np.array_equal(images, kept[0])
    assert np.array_equal(rows, kept[1])
    assert np.array_equal(matrices, kept[2])
    got[:] = 0  # the result is the caller's


def test_images_may_lie_in_a_file(tmp_path: Path) -> None:
    images = noise(4, 2, 9, 9)
    (tmp_path / "images").write_bytes(images.tobytes())
    mapped = np.memmap(tmp_path / "images", np.uint8, "r", shape=images.shape)
    assert np.array_equal(warp(mapped, np.arange(4), drawn(4, 9, 9)), warp(images, np.arange(4), drawn(4, 9, 9)))


def test_images_rows_and_matrices_in_any_layout() -> None:
    images, matrices = noise(6, 9, 9, 2), drawn(6, 9, 9)
    expected = check(np.ascontiguousarray(images.transpose(0, 3, 1, 2)), range(6), matrices)
    assert np.array_equal(warp(images.transpose(0, 3, 1, 2), np.arange(6), np.asfortranarray(matrices)), expected)
    back = warp(images.transpose(0, 3, 1, 2), np.arange(6)[::-1], matrices[::-1])
    assert np.array_equal(back, expected[::-1])
    for kind in (np.int32, np.uint8, np.uint64):
        assert np.array_equal(warp(images.transpose(0, 3, 1, 2), np.arange(6).astype(kind), matrices), expected)


def test_no_rows_are_no_work() -> None:
    nothing = np.empty(0, np.int64)
    for images in (noise(2, 3, 4, 5), np.empty((0, 3, 4, 5), np.uint8)):
        for way in (warp, reference.warp):
            assert way(images, nothing, np.empty((0, 6), np.float32)).shape == (0, 3, 4, 5)


@pytest.mark.slow
def test_the_largest_side() -> None:
    images = noise(1, 1, LARGEST_SIDE, 3)
    check(images, [0], drawn(1, LARGEST_SIDE, 3))
    check(images.reshape(1, 1, 3, LARGEST_SIDE), [0], [IDENTITY])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 1, 4, 4), np.float32),
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((2, 1, 0, 4), np.uint8),
        np.zeros((2, 0, 4, 4), np.uint8),
        np.zeros((1, 1, 1, LARGEST_SIDE + 1), np.uint8),
    ],
)
def test_images_of_another_kind_are_refused(images: U8Array) -> None:
    for way in (warp, reference.warp):
        with pytest.raises(UsageError, match="images cannot be warped"):
            way(images, np.zeros(1, np.int64), IDENTITY[None])


@pytest.mark.parametrize("rows", [[-1, 0], [0, 2], [-5, 7]])
def test_rows_outside_are_refused(rows: list[int]) -> None:
    with pytest.raises(UsageError, match="row is outside") as caught:
        warp(noise(2, 1, 4, 4), np.array(rows), np.tile(IDENTITY, (2, 1)))
    assert caught.value.got == f"{rows[0]} to {rows[1]}"


@pytest.mark.parametrize("rows", [np.zeros(2), np.zeros((1, 2), np.int64), np.zeros(2, bool)])
def test_rows_of_another_kind_are_refused(rows: npt.NDArray[np.int64]) -> None:
    with pytest.raises(UsageError, match="rows"):
        warp(noise(2, 1, 4, 4), rows, np.tile(IDENTITY, (len(rows), 1)))


@pytest.mark.parametrize("matrices", [np.zeros((2, 6)), np.zeros((1, 6), np.float32), np.zeros((2, 2, 3), np.float32)])
def test_matrices_that_do_not_fit_are_refused(matrices: F32) -> None:
    with pytest.raises(UsageError, match="matrices do not fit"):
        warp(noise(2, 1, 4, 4), np.arange(2), matrices)


def test_the_result_lies_where_it_is_told() -> None:
    images = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    rows, matrices = np.array([1, 0]), np.array([[1, 0, 0.5, 0, 1, 0]] * 2, np.float32)
    room = np.full((2, 3, 4, 5), 7, np.uint8)
    assert warp(images, rows, matrices, room) is room
    np.testing.assert_array_equal(room, warp(images, rows, matrices))
    with pytest.raises(UsageError, match="no room"):
        warp(images, rows, matrices, room[:1])
