import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from millrace.datasets import pixel_arrays
from millrace.datasets.pixel_arrays import as_images, layout_of, layouts
from millrace.errors import FormatError

GREY = (np.arange(2 * 9 * 8) % 256).astype(np.uint8).reshape(2, 9, 8)


def test_uint8_is_taken_as_it_is_and_without_a_copy() -> None:
    for given, shape in ((GREY, (2, 1, 9, 8)), (GREY[:, np.newaxis], (2, 1, 9, 8))):
        got = as_images(given, "x")
        assert got.shape == shape
        assert np.shares_memory(got, given)


@pytest.mark.parametrize("channels", range(1, 9))
def test_one_to_eight_channels_first_or_last(channels: int) -> None:
    first = (np.arange(2 * channels * 12 * 16) % 251).astype(np.uint8).reshape(2, channels, 12, 16)
    last = np.ascontiguousarray(first.transpose(0, 2, 3, 1))
    assert layout_of(first.shape, "x") == "chw"
    assert layout_of(last.shape, "x") == "hwc"
    for given in (first, last, np.asfortranarray(first)):
        got = as_images(given, "x")
        np.testing.assert_array_equal(got, first)
        assert got.flags.c_contiguous


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 3, 8, 8), ["chw"]),  # 3 is no side
        ((5, 8, 8, 3), ["hwc"]),
        ((5, 8, 8, 8), ["chw", "hwc"]),
        ((5, 8, 512, 8), ["chw", "hwc"]),
        ((5, 1, 5, 4), ["chw", "hwc"]),  # too small to tell
        ((5, 9, 9, 9), []),
        ((5, 9), []),
        ((5, 0, 8), []),
        ((5, 1 << 16, 8), []),
        ((0, 28, 28), ["hw"]),
    ],
)
def test_the_shape_says_the_order_of_the_axes(shape: tuple[int, ...], expected: list[str]) -> None:
    assert layouts(shape) == expected


def test_an_ambiguous_shape_is_an_error_that_lists_the_choices() -> None:
    images = np.zeros((2, 8, 12, 8), np.uint8)
    images[:, 0] = 1
    with pytest.raises(FormatError, match=r"first or last\n.*layout: chw or layout: hwc"):
        as_images(images, "x")
    assert as_images(images, "x", layout="chw").shape == (2, 8, 12, 8)
    assert as_images(images, "x", layout="hwc").shape == (2, 8, 8, 12)


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((2, 784), r"reshaped to \(2, 1, 28, 28\)"),
        ((2, 3072), r"reshaped to \(2, 3, 32, 32\)"),
        ((2, 9, 9, 9), "not a stack of images"),
        ((2,), "not a stack of images"),
        ((2, 3, 8, 8, 8), "not a stack of images"),
    ],
)
def test_what_is_no_stack_of_images_is_refused(shape: tuple[int, ...], match: str) -> None:
    with pytest.raises(FormatError, match=match):
        as_images(np.zeros(shape, np.uint8), "x")


@pytest.mark.parametrize(
    ("values", "dtype", "bounds", "expected"),
    [
        # By hand; .5 goes to the even neighbour: 127.5 → 128, 0.5 → 0, 1.5 → 2.
        ([0, 0.5, 1, 1 / 255, 254 / 255], np.float32, (0, 1), [0, 128, 255, 1, 254]),
        ([-1, 0, 1, -0.5, 0.5], np.float64, (-1, 1), [0, 128, 255, 64, 191]),
        ([0.5, 1.5, 2.5, 254.5, 255], np.float16, (0, 255), [0, 2, 2, 254, 255]),
        ([0, 257, 65535, 128, 129], np.uint16, (0, 65535), [0, 1, 255, 0, 1]),
        ([0, 257, 65535, 128, 129], ">u2", (0, 65535), [0, 1, 255, 0, 1]),
        ([0, 16, 1, 2, 8], np.int64, (0, 16), [0, 255, 16, 32, 128]),
        ([0, 1, 1, 0, 1], np.bool_, (0, 1), [0, 255, 255, 0, 255]),
        ([0, 1, 1, 0, 1], np.uint8, (0, 1), [0, 255, 255, 0, 255]),
        ([100, 612, 356, 228, 484], np.uint16, (100, 612), [0, 255, 128, 64, 191]),
        ([0, 1, 2, 3, 4], np.float16, (0, 65536), [0, 0, 0, 0, 0]),
    ],
)
def test_a_stated_range_is_mapped_half_to_even(
    values: list[float], dtype: object, bounds: tuple[float, float], expected: list[int]
) -> None:
    images = np.array(values, np.float64).astype(dtype).repeat(64).reshape(5, 8, 8)  # type: ignore[call-overload]
    got = as_images(images, "x", bounds=bounds)
    assert got.dtype == np.uint8
    assert got[:, 0, 0, 0].tolist() == expected
    assert (got == got[:, :1, :1, :1]).all()


def test_every_uint8_comes_back_from_zero_to_one() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(as_images((images / 255).astype(dtype), "x", bounds=(0, 1)), images[:, None])
    np.testing.assert_array_equal(as_images(images * np.uint16(257), "x", bounds=(0, 65535)), images[:, None])


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([0.0, 1.0], r"need a range[\s\S]*values from 0 to 1\n[\s\S]*0\.\.1, -1\.\.1, 0\.\.255, 0\.\.65535$"),
        ([0.0, 200.0], r"would hold all values: 0\.\.255, 0\.\.65535$"),
        ([-0.5, 1.0], r"would hold all values: -1\.\.1$"),
        ([-500.0, 1.0], r"`range=LOW\.\.HIGH`: LOW becomes 0"),
        ([0.0, np.nan], "and 1 NaN or infinite"),
    ],
)
def test_without_a_range_the_error_says_which_would_fit(values: list[float], match: str) -> None:
    images = np.zeros((2, 8, 8), np.float32)
    images[0, 0, :2] = values
    with pytest.raises(FormatError, match=match):
        as_images(images, "x")


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ([1.5, -0.1, 2.0], r"outside of its range[\s\S]*3 of 128 values, values from -0\.1 to 2"),
        ([np.nan, np.inf, 0.0], "holds what is no number[\\s\\S]*2 of 128 values"),
    ],
)
def test_values_outside_of_the_range_are_counted(bad: list[float], match: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_arrays, "PIECE", 64)
    images = np.zeros((2, 8, 8))
    images[1, 3, :3] = bad
    with pytest.raises(FormatError, match=match):
        as_images(images, "x", bounds=(0, 1))


@pytest.mark.parametrize("dtype", ["complex64", "U1", "M8[s]"])
def test_what_is_no_number_is_refused(dtype: str) -> None:
    with pytest.raises(FormatError, match="not an array of numbers"):
        as_images(np.zeros((2, 8, 8), dtype), "x", bounds=(0, 1))


def test_a_mapped_file_is_converted_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_arrays, "PIECE", 1 << 16)
    np.save(tmp_path / "a.npy", np.full((64, 3, 64, 64), 0.5, np.float32))
    given = np.load(tmp_path / "a.npy", mmap_mode="r")
    tracemalloc.start()
    try:
        got = as_images(given, "x", bounds=(0, 1))
        assert tracemalloc.get_traced_memory()[1] < got.nbytes + (3 << 20)
    finally:
        tracemalloc.stop()
    assert (got == 128).all()
