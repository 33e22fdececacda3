"""Normalisation against the formula in float64."""

import numpy as np
import pytest

from millrace.errors import UsageError
from millrace.model.inputs import Inputs


def test_every_channel_has_its_own_mean_and_deviation() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6)).astype(np.uint8)
    inputs = Inputs((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))
    mean, std = np.reshape(inputs.mean, (1, 3, 1, 1)), np.reshape(inputs.std, (1, 3, 1, 1))
    out = np.full((5, 72), np.nan, np.float32)
    assert inputs.into(images, out) is out
    assert np.abs(out - ((images / 255 - mean) / std).reshape(5, 72)).max() < 1e-6


def test_unit_maps_brightness_to_zero_to_one() -> None:
    images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    out = Inputs.unit(1).into(images, np.empty((3, 1), np.float32))
    assert out.ravel().tolist() == [0.0, pytest.approx(0.2), 1.0]


def test_the_layout_of_the_images_changes_nothing() -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 2, 5, 5)).astype(np.uint8)
    inputs = Inputs((0.1, 0.2), (0.3, 0.4))
    plain = inputs.into(images, np.empty((4, 50), np.float32))
    strided = np.asfortranarray(images)
    strided.flags.writeable = False
    assert np.array_equal(inputs.into(strided, np.empty((4, 50), np.float32)), plain)


@pytest.mark.parametrize(
    ("mean", "std"), [((), ()), ((0.1,), (0.1, 0.2)), ((0.1,), (0.0,)), ((np.nan,), (1.0,)), ((0.0,), (np.inf,))]
)
def test_impossible_statistics_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="impossible"):
        Inputs(mean, std)


def test_images_that_do_not_fit_are_refused() -> None:
    inputs, images = Inputs.unit(1), np.zeros((2, 1, 3, 3), np.uint8)
    for wrong, out in [
        (np.zeros((2, 3, 3, 3), np.uint8), np.empty((2, 27), np.float32)),
        (images, np.empty((2, 8), np.float32)),
        (images, np.empty((9, 2), np.float32).T),
        (images, np.empty((2, 9))),
        (images.astype(np.float32), np.empty((2, 9), np.float32)),
    ]:
        with pytest.raises(UsageError, match="do not fit"):
            inputs.into(wrong, out)  # type: ignore[arg-type]
