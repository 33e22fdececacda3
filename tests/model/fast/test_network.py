"""The fast network against the textbook one; the same bits for any alignment; no arrays made on the way."""

import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import threadpoolctl

from millrace.errors import UsageError
from millrace.model.fast.network import Network
from millrace.model.layout import Floats
from millrace.model.options import NetworkOptions
from tests.model import reference

HIDDEN: list[tuple[int, ...]] = [(), (33,), (33, 17), (20, 9, 12), (8, 8, 8, 8)]


def _network(hidden: tuple[int, ...]) -> Network:
    return Network(NetworkOptions(hidden=hidden), inputs=29, classes=7)


def _case(network: Network, rows: int) -> tuple[Floats, Floats, npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(rows)
    flat = network.initial(seed=rows)
    flat += 0.05 * rng.standard_normal(flat.size).astype(np.float32)
    x = rng.standard_normal((rows, network.inputs)).astype(np.float32)
    return flat, x, rng.integers(0, network.classes, rows).astype(np.uint8)


@pytest.mark.parametrize("rows", [1, 2, 19])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradient_loss_and_logits_equal_the_reference(hidden: tuple[int, ...], rows: int) -> None:
    network = _network(hidden)
    flat, x, y = _case(network, rows)
    out = np.full(network.parameters, np.nan, np.float32)
    result = network.gradient(flat, x, y, out, network.workspace(24))
    wide = flat.astype(np.float64), x.astype(np.float64)
    expected = reference.gradient(network.layout, *wide, y)
    assert np.abs(out - expected).max() < 2e-6 * rows
    assert result.loss == pytest.approx(reference.loss(network.layout, *wide, y), rel=1e-6)
    logits = reference.forward(network.layout, *wide)[-1]
    assert result.correct == int((logits.argmax(axis=1) == y).sum())
    assert np.abs(network.logits(flat, x) - logits).max() < 1e-5
    assert network.measure(flat, x, y, network.workspace(rows)) == result


def test_the_gradient_is_a_sum_over_samples() -> None:
    network = _network((12,))
    flat, x, y = _case(network, 6)
    workspace, total = network.workspace(6), np.zeros(network.parameters)
    one = np.empty(network.parameters, np.float32)
    for row in range(6):
        network.gradient(flat, x[row : row + 1], y[row : row + 1], one, workspace)
        total += one
    network.gradient(flat, x, y, one, workspace)
    assert np.abs(one - total).max() < 1e-5


def _shifted(array: npt.NDArray[Any], by: int) -> npt.NDArray[Any]:
    """A copy that begins `by` elements after an allocation's beginning."""
    memory = np.empty(array.size + by, array.dtype)
    view = memory[by:].reshape(array.shape)
    view[...] = array
    return view


@pytest.mark.parametrize("shift", [1, 2, 3, 5, 16])
def test_alignment_changes_no_bit(shift: int) -> None:
    network = _network((33, 17))
    flat, x, y = _case(network, 13)
    first, second = np.empty_like(flat), _shifted(np.empty_like(flat), shift)
    with threadpoolctl.threadpool_limits(1, "blas"):
        a = network.gradient(flat, x, y, first, network.workspace(13))
        # The workspace is longer, the weights cannot be written to, and everything lies elsewhere.
        moved = _shifted(flat, shift)
        moved.flags.writeable = False
        shifted_x, shifted_y = _shifted(x, shift), _shifted(y, shift)
        b = network.gradient(moved, shifted_x, shifted_y, second, network.workspace(40))
    assert a == b
    assert np.array_equal(first.view(np.uint32), second.view(np.uint32))


def test_a_slot_allocates_no_arrays() -> None:
    network = Network(NetworkOptions(), 784, 10)
    flat = network.initial(0)
    x, y = np.ones((16, 784), np.float32), np.zeros(16, np.uint8)
    out, workspace = np.empty_like(flat), network.workspace(16)
    network.gradient(flat, x, y, out, workspace)
    tracemalloc.start()
    try:
        network.gradient(flat, x, y, out, workspace)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000  # one row of the first hidden layer alone is 4,000 bytes, one matrix 3,136,000


def test_text_sizes_and_counts() -> None:
    network = Network(NetworkOptions(), 784, 10)
    assert network.parameters == 1086215
    assert network.text == "784-999-299-10 relu"
    assert [(layer.inputs, layer.units) for layer in network.layers] == [(784, 999), (999, 299), (299, 10)]
    assert Network(NetworkOptions(hidden=(4,)), 2, 2).parameters == 22
    assert Network(NetworkOptions(hidden=()), 2, 2).text == "2-2 relu"


def test_logits_belong_to_the_caller() -> None:
    network = _network((5,))
    flat, x, _ = _case(network, 4)
    workspace = network.workspace(4)
    first = network.logits(flat, x, workspace)
    kept = first.copy()
    network.logits(flat, 2 * x, workspace)
    assert np.array_equal(first, kept)


def test_what_does_not_fit_is_refused() -> None:
    network = _network((5,))
    flat, x, y = _case(network, 4)
    out, workspace = np.empty_like(flat), network.workspace(4)
    wrong: list[tuple[Any, ...]] = [
        (flat[:-1], x, y, out, workspace),
        (flat.astype(np.float64), x, y, out, workspace),
        (flat, x[:, :-1], y, out, workspace),
        (flat, np.asfortranarray(x), y, out, workspace),
        (flat, x, y[:-1], out, workspace),
        (flat, x, np.full(4, 7, np.uint8), out, workspace),
        (flat, x, y.astype(np.int64), out, workspace),
        (flat, x, y, out[:-1], workspace),
        (flat, x, y, out, network.workspace(3)),
        (flat, x[:0], y[:0], out, workspace),
    ]
    for arguments in wrong:
        with pytest.raises(UsageError, match="fit"):
            network.gradient(*arguments)
    with pytest.raises(UsageError, match="classes"):
        Network(NetworkOptions(), 10, 65_537)
    with pytest.raises(UsageError, match="does not fit"):
        Network(NetworkOptions(), 0, 10)


def test_a_diverged_network_shows_in_its_loss() -> None:
    network = _network((5,))
    flat, x, y = _case(network, 4)
    flat[3] = np.nan
    assert np.isnan(network.measure(flat, x, y, network.workspace(4)).loss)
