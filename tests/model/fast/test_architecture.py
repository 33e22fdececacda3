"""Every kind of network against central differences of the textbook's loss, and its sizes."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from millrace.counters import Purpose, words
from millrace.elementary import normals
from millrace.errors import UsageError
from millrace.model.fast.network import Network, RowKeys
from millrace.model.options import NetworkOptions, RegularizationOptions
from tests.model import reference

INPUTS, CLASSES, ROWS = 6, 4, 7
KINDS = [
    NetworkOptions(hidden=(5, 7, 3, 6)[:depth], activation=activation, norm=norm)
    for depth, activation, norm in itertools.product(
        (1, 2, 3, 4), ("relu", "leaky-relu", "gelu", "tanh"), ("none", "layer")
    )
] + [
    NetworkOptions(hidden=(5,) * depth, activation=activation, norm=norm, skip=True, expansion=3)
    for depth, activation, norm in itertools.product((1, 2, 3, 4), ("relu", "gelu"), ("none", "layer"))
]
ALONE = RegularizationOptions(dropout=0.3, input_dropout=0.2, input_noise=0.5, label_smoothing=0.15)
WILD = dataclasses.replace(ALONE, mixup=0.6)


def _name(options: NetworkOptions) -> str:
    return f"{len(options.hidden)}-{options.activation}-{options.norm}{'-skip' * options.skip}"


def _case(network: Network) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.uint8], RowKeys]:
    rng = np.random.default_rng(network.parameters)
    flat = (network.initial(3) + 0.3 * rng.standard_normal(network.parameters)).astype(np.float32)
    x = rng.standard_normal((ROWS, INPUTS)).astype(np.float32)
    draws = RowKeys(9, 2, np.array([5, 0, 4_000_000_000, 17, 3, 8, 1], np.int64))
    return flat, x, rng.integers(0, CLASSES, ROWS).astype(np.uint8), draws


def _kept(draws: RowKeys, layer: int, units: int, probability: float) -> npt.NDArray[np.float64]:
    """What dropout multiplies by, from the definition: unit u of a sample is word u % 4 of block u // 4."""
    blocks = np.arange(-(-units // 4))
    rows = [
        words(draws.seed, Purpose.DROPOUT, int(sample), draws.epoch, blocks, layer << 16).reshape(-1)[:units]
        for sample in draws.samples
    ]
    return np.where(np.array(rows) >= int(probability * 2**32), 1 / (1 - probability), 0.0)


def _shares(network: Network, draws: RowKeys | None) -> npt.NDArray[np.float64]:
    """What mixup makes of the rows, from the definition: (rows, rows), each a row's share of itself and of the next."""
    share = np.ones(ROWS)
    if draws is not None:
        drawn = words(draws.seed, Purpose.MIXUP, draws.samples, draws.epoch).astype(np.float64)
        share -= np.where(drawn[:, 0] < network.regularization.mixup * 2**32, drawn[:, 1] / 2**33, 0.0)
    return np.diag(share) + np.roll(np.diag(1 - share), 1, axis=1)


def _losses(network: Network, x: Any, y: Any, draws: RowKeys | None) -> Callable[[Any], float]:
    """The loss of these rows as a function of the weights alone: what is drawn is drawn once."""
    options, r = network.options, network.regularization
    factors = {}
    if draws is not None and r.dropout:
        widths = [w * options.expansion for w in options.hidden] if options.skip else options.hidden
        factors = {k: _kept(draws, k, units, r.dropout) for k, units in enumerate(widths, start=1)}
    target = _shares(network, draws) @ np.eye(CLASSES)[y]
    smoothing = r.label_smoothing if draws is not None else 0.0
    return lambda flat: reference.smoothed_loss(
        reference.logits(options, network.layout, flat, x, factors), target, smoothing
    )


def _loss(network: Network, flat: Any, x: Any, y: Any, draws: RowKeys | None) -> float:
    return _losses(network, x, y, draws)(flat)


def _slopes(network: Network, flat: Any, x: Any, y: Any, draws: RowKeys | None) -> npt.NDArray[np.float64]:
    slopes, step, loss = np.empty(flat.size), 1e-5, _losses(network, x, y, draws)
    for at in range(flat.size):
        up, down = flat.copy(), flat.copy()
        up[at] += step
        down[at] -= step
        slopes[at] = (loss(up) - loss(down)) / (2 * step)
    return slopes


@pytest.mark.parametrize("options", KINDS, ids=_name)
def test_gradients_equal_central_differences(options: NetworkOptions) -> None:
    network = Network(options, INPUTS, CLASSES)
    flat, x, y, _ = _case(network)
    out, workspace = np.full(network.parameters, np.nan, np.float32), network.workspace(ROWS + 2)
    result = network.gradient(flat, x, y, out, workspace)
    wide = flat.astype(np.float64), x.astype(np.float64)
    assert result.loss == pytest.approx(_loss(network, *wide, y, None), rel=1e-5)
    assert out == pytest.approx(_slopes(network, *wide, y, None), abs=1e-4, rel=1e-4)
    assert network.measure(flat, x, y, workspace) == result
    expected = reference.logits(options, network.layout, *wide, {})
    assert network.logits(flat, x) == pytest.approx(expected, abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("options", [k for k in KINDS if len(k.hidden) in (2, 3)], ids=_name)
def test_gradients_with_random_layers_equal_central_differences(options: NetworkOptions) -> None:
    network = Network(options, INPUTS, CLASSES, WILD)
    assert network.random
    flat, x, y, draws = _case(network)
    out, workspace = np.full(network.parameters, np.nan, np.float32), network.workspace(ROWS)
    result = network.gradient(flat, x, y, out, workspace, draws)
    seen = _given(network, x, draws)
    wide = flat.astype(np.float64), seen.astype(np.float64)
    assert result.loss == pytest.approx(_loss(network, *wide, y, draws), rel=1e-5)
    assert out == pytest.approx(_slopes(network, *wide, y, draws), abs=1e-4, rel=1e-4)
    # Nothing is drawn where nothing is learned.
    assert network.measure(flat, x, y, workspace).loss == pytest.approx(
        _loss(network, flat.astype(np.float64), x.astype(np.float64), y, None), rel=1e-5
    )


def _given(network: Network, x: npt.NDArray[np.float32], draws: RowKeys) -> npt.NDArray[np.float32]:
    """The inputs as noise and dropout leave them."""
    blocks = np.arange(-(-INPUTS // 4))
    noise = [
        normals(words(draws.seed, Purpose.INPUT_NOISE, int(sample), draws.epoch, blocks)).reshape(-1)[:INPUTS]
        for sample in draws.samples
    ]
    r = network.regularization
    x = (_shares(network, draws) @ x).astype(np.float32)
    noisy = x + np.float32(r.input_noise) * np.array(noise, np.float32)
    return (noisy * _kept(draws, 0, INPUTS, r.input_dropout).astype(np.float32)).astype(np.float32)


@pytest.mark.parametrize("options", KINDS[::5], ids=_name)
def test_draws_do_not_depend_on_the_rows_around(options: NetworkOptions) -> None:
    network = Network(options, INPUTS, CLASSES, ALONE)
    flat, x, y, draws = _case(network)
    workspace, total = network.workspace(ROWS), np.zeros(network.parameters)
    whole, one = np.empty_like(flat), np.empty_like(flat)
    result = network.gradient(flat, x, y, whole, workspace, draws)
    loss = 0.0
    for row in reversed(range(ROWS)):
        only = slice(row, row + 1)
        part = RowKeys(draws.seed, draws.epoch, draws.samples[only])
        loss += network.gradient(flat, x[only], y[only], one, workspace, part).loss
        total += one
    assert loss == pytest.approx(result.loss, rel=1e-5)
    assert whole == pytest.approx(total, abs=1e-4)


def test_other_epochs_seeds_and_samples_draw_anew() -> None:
    network = Network(NetworkOptions(hidden=(50,)), INPUTS, CLASSES, RegularizationOptions(dropout=0.5))
    flat, x, y, draws = _case(network)
    out, workspace = np.empty_like(flat), network.workspace(ROWS)
    losses = {
        network.gradient(flat, x, y, out, workspace, changed).loss
        for changed in (
            draws,
            RowKeys(8, draws.epoch, draws.samples),
            RowKeys(draws.seed, 3, draws.samples),
            RowKeys(draws.seed, draws.epoch, draws.samples + 1),
        )
    }
    assert len(losses) == 4


def test_presets_have_the_sizes_of_the_slides() -> None:
    assert Network(NetworkOptions(preset="lecture-mnist"), 784, 10).parameters == 1_086_215
    assert Network(NetworkOptions(preset="points"), 2, 2).parameters == 22
    assert NetworkOptions(preset="points").hidden == (4,)
    assert NetworkOptions(preset="points", hidden=(4,)) == NetworkOptions(preset="points")
    with pytest.raises(UsageError, match="other hidden layers"):
        NetworkOptions(preset="points", hidden=(8,))
    with pytest.raises(UsageError, match="did you mean 'points'"):
        NetworkOptions(preset="point")


def test_skip_connections_want_layers_of_one_size() -> None:
    for hidden in ((), (8, 9)):
        with pytest.raises(UsageError, match="skip does not fit"):
            NetworkOptions(hidden=hidden, skip=True)
    network = Network(NetworkOptions(hidden=(8, 8, 8), skip=True, activation="gelu", norm="layer"), 20, 10)
    assert network.text == "20-8-(32-8)×2-10 gelu layer-norm"
    assert network.parameters == 20 * 8 + 8 + 2 * (16 + 8 * 32 + 32 + 32 * 8 + 8) + 80 + 10


def test_gains_start_at_one_and_shifts_at_zero() -> None:
    network = Network(NetworkOptions(hidden=(8, 5), norm="layer"), 20, 10)
    flat = network.initial(0)
    assert [norm.gain.view(flat).tolist() for norm in network.layout.norms] == [[1.0] * 8, [1.0] * 5]
    assert not any(norm.shift.view(flat).any() for norm in network.layout.norms)
