"""What surrounds an update: clipping, averaging, the published view with its noise."""

import math

import numpy as np
import pytest

from millrace.counters import Purpose, words
from millrace.elementary import normals
from millrace.model.layout import dense
from millrace.model.optimizers import Step, optimizer
from millrace.model.options import OptimizerOptions, RegularizationOptions
from millrace.model.updates import Updates, served

LAYOUT = dense((3, 2, 2))  # weights 0–5 and 8–11, biases between and behind


def _updates(regularization: RegularizationOptions, name: str = "sgd") -> Updates:
    return Updates(optimizer(OptimizerOptions(name, momentum=0.5), LAYOUT), regularization, seed=5)


def test_clipping_shortens_long_gradients_alone() -> None:
    updates = _updates(RegularizationOptions(clip=2.5))
    gradient = np.zeros(14, np.float32)
    gradient[:2] = 6, 8
    assert updates.scale(gradient, None, 1.0) == 0.25
    assert updates.scale(gradient, None, 4.0) == 1.0
    assert updates.scale(gradient, gradient, 1.0) == 0.125
    gradient[3] = np.inf
    assert math.isnan(updates.scale(gradient, None, 1.0))
    assert _updates(RegularizationOptions()).scale(gradient, None, 1.0) == 1.0


def test_a_step_scales_limits_and_averages_in_this_order() -> None:
    updates = _updates(RegularizationOptions(max_norm=1.0, average=0.9))
    weights = np.zeros(14, np.float32)
    state = updates.initial_state(weights)
    assert served(weights, state) is state["average"]
    gradient = np.zeros(14, np.float32)
    gradient[0], gradient[6] = -8, -8
    updates.step(Step(weights, state, gradient, None, 2.0, 1.0, 1, 0.5))
    # 8/2 · ½ = 2: the weight is cut to its unit's norm of 1, the bias is not.
    assert (weights[0], weights[6]) == (1.0, 2.0)
    assert state["average"][[0, 6]] == pytest.approx([0.9, 1.8], rel=1e-6)


def test_without_an_average_the_weights_are_served() -> None:
    updates = _updates(RegularizationOptions())
    weights = np.ones(14, np.float32)
    assert served(weights, updates.initial_state(weights)) is weights
    assert updates.view(weights, {}, 3, None) is weights


@pytest.mark.parametrize("name", ["sgd", "nesterov"])
def test_weight_noise_is_drawn_once_per_step_for_each_weight(name: str) -> None:
    updates = _updates(RegularizationOptions(weight_noise=0.1), name)
    weights = np.arange(14, dtype=np.float32)
    state = updates.initial_state(weights)
    for array in state.values():
        array[:] = 2
    base = weights + 1 if name == "nesterov" else weights
    noise = normals(words(5, Purpose.WEIGHT_NOISE, np.arange(4), 7)).reshape(-1)[:14].astype(np.float32)
    noise[[6, 7, 12, 13]] = 0
    view = updates.view(weights, state, 7, None)
    assert np.array_equal(view, base + np.float32(0.1) * noise)
    assert np.array_equal(weights, np.arange(14))
    room = np.empty_like(weights)
    assert updates.view(weights, state, 7, room) is room
    assert np.array_equal(room, view)
    assert not np.array_equal(updates.view(weights, state, 8, room)[:6], view[:6])


def test_weight_noise_is_the_same_draw_for_a_weight_wherever_its_block_lies() -> None:
    layout = dense((5, 601, 9, 2))  # longer than a stretch of draws; blocks of weights begin at any remainder of four
    shaken = Updates(optimizer(OptimizerOptions("sgd"), layout), RegularizationOptions(weight_noise=0.3), seed=11)
    weights = np.linspace(-1, 1, layout.parameters, dtype=np.float32)
    noise = normals(words(11, Purpose.WEIGHT_NOISE, np.arange(layout.parameters // 4 + 1), 2)).reshape(-1)
    expected = weights + np.float32(0.3) * noise[: layout.parameters].astype(np.float32)
    for block in layout.blocks:
        if not block.decays:
            expected[block.begin : block.end] = weights[block.begin : block.end]
    assert {block.begin % 4 for block in layout.blocks if block.decays} != {0}
    assert np.array_equal(shaken.view(weights, {}, 2, None), expected)
