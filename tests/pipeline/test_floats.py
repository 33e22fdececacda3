"""Float pixels against NumPy and against what the network's own normalisation gives, bit for bit."""

import numpy as np
import pytest

from millrace.model.inputs import Inputs
from millrace.pipeline import channels_last, normalised, plain_normalised

MEAN, STD = (0.1306604762738429, 0.5, 0.25), (0.3081078038564627, 0.1, 1.0)


def constants(channels: int) -> tuple[np.ndarray, np.ndarray]:
    shift = np.array([255.0 * m for m in MEAN[:channels]], np.float32)
    return shift, np.array([1.0 / (255.0 * s) for s in STD[:channels]], np.float32)


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (4, 3, 5, 7), (0, 3, 4, 4), (1, 2, 1, 1)])
def test_equals_the_networks_inputs_in_both_layouts(shape: tuple[int, int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    channels = shape[1]
    expected = np.empty((shape[0], channels * shape[2] * shape[3]), np.float32)
    Inputs(MEAN[:channels], STD[:channels]).into(images, expected)
    first = normalised(images, *constants(channels))
    last = normalised(images, *constants(channels), interleaved=True)
    assert first.dtype == last.dtype == np.float32
    assert np.array_equal(first, expected.reshape(shape))
    assert last.flags.c_contiguous
    assert np.array_equal(last, expected.reshape(shape).transpose(0, 2, 3, 1))
    assert np.array_equal(channels_last(images), images.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (4, 3, 5, 7), (3, 4, 9, 2), (0, 3, 4, 4), (1, 2, 1, 1)])
@pytest.mark.parametrize("interleaved", [False, True])
def test_the_twin_without_numba_has_the_same_bits(shape: tuple[int, int, int, int], interleaved: bool) -> None:
    channels = shape[1]
    images = (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)
    # Every value of a pixel under constants that round at both operations, and at the edges of float32.
    shift = np.array([33.31842144, 127.5, 3e38, 1e-40][:channels], np.float32)
    factor = np.array([0.012728, 1 / 3, 3e38, -1e-40][:channels], np.float32)
    with np.errstate(over="ignore"):
        twin = plain_normalised(images, shift, factor, interleaved=interleaved)
    kernel = normalised(images, shift, factor, interleaved=interleaved)
    assert (str(twin.dtype), twin.shape, twin.flags.c_contiguous) == ("float32", kernel.shape, True)
    assert twin.tobytes() == kernel.tobytes()
