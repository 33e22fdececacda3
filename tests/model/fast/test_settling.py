"""Nothing that a pass hands to a matrix product is subnormal: such numbers cost a processor a hundred times as much."""

import numpy as np
import pytest

from millrace.model.fast.activations import ACTIVATIONS, LINEAR
from millrace.model.fast.losses import softmax_cross_entropy
from millrace.model.fast.mixup import UNMIXED
from millrace.model.fast.network import Network
from millrace.model.layout import Floats
from millrace.model.options import NetworkOptions

SMALLEST = np.finfo(np.float32).smallest_normal


def _healthy(a: Floats) -> bool:
    return bool(((np.abs(a) >= SMALLEST) | (a == 0)).all())


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-12, 1e-20])
def test_no_delta_is_subnormal_however_far_from_zero_the_argument(name: str, size: float) -> None:
    g = ACTIVATIONS[name]
    z = np.linspace(-30, 30, 60_001, dtype=np.float32).reshape(1, -1)
    outputs = z if g.in_place else np.empty_like(z)
    g.forward(z, np.zeros(z.shape[1], np.float32), outputs)
    deltas = np.full_like(z, size)
    bias = np.empty(z.shape[1], np.float32)
    g.backward(deltas, z, outputs, bias)
    assert _healthy(outputs)
    assert _healthy(deltas)
    assert _healthy(bias)


def test_deltas_of_a_usual_size_are_all_there() -> None:
    # The slope z φ(z) falls below 1e-20 at z = −9.76.
    z = np.linspace(-9.7, -6, 401).reshape(1, -1)
    sums, outputs = z.astype(np.float32), np.empty((1, 401), np.float32)
    ACTIVATIONS["gelu"].forward(sums, np.zeros(401, np.float32), outputs)
    deltas = np.full((1, 401), 1e-3, np.float32)
    ACTIVATIONS["gelu"].backward(deltas, sums, outputs, np.empty(401, np.float32))
    assert deltas[0] == pytest.approx((1e-3 * z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi))[0], rel=1e-4)


@pytest.mark.parametrize("gap", [40.0, 75.0, 95.0, 200.0])
def test_a_network_that_is_very_sure_has_no_subnormal_deltas(gap: float) -> None:
    z, gradient = np.array([[gap, 0.0, 0.0]], np.float32), np.empty(3, np.float32)
    labels, bias = np.array([0], np.uint16), np.zeros(3, np.float32)
    softmax_cross_entropy(z, bias, labels, True, gradient, np.empty(3), np.empty(2), 0.0, *UNMIXED)
    assert _healthy(z)
    assert _healthy(gradient)


def test_not_a_number_is_not_hidden() -> None:
    for g in (*ACTIVATIONS.values(), LINEAR):
        deltas = np.array([[np.nan]], np.float32)
        g.backward(deltas, np.ones((1, 1), np.float32), np.ones((1, 1), np.float32), np.empty(1, np.float32))
        assert np.isnan(deltas[0, 0])


def test_a_network_far_down_the_tail_has_no_subnormal_gradient() -> None:
    network = Network(NetworkOptions(hidden=(40, 30), activation="gelu"), 6, 3)
    flat = network.initial(1)
    for _, bias in network.views(flat)[:-1]:
        bias[::2] = np.linspace(-16, -8, len(bias[::2]))
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((50, 6)).astype(np.float32), rng.integers(0, 3, 50).astype(np.uint8)
    out, workspace = np.empty_like(flat), network.workspace(50)
    network.gradient(flat, x, y, out, workspace)
    arrays = [a for part in workspace.chain._parts for a in vars(part).values() if isinstance(a, np.ndarray)]
    assert len(arrays) > 9
    assert all(_healthy(a) for a in arrays)
