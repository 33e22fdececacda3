"""The page to read against the kernels that train: every method, and all together, equal in every bit."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import threadpoolctl

from millrace.model import network as page
from millrace.model.fast.network import Network
from millrace.model.fast.noise import RowKeys
from millrace.model.layout import Floats
from millrace.model.optimizers import OPTIMIZERS, Step, optimizer
from millrace.model.options import ACTIVATIONS, NORMS, NetworkOptions, OptimizerOptions, RegularizationOptions
from millrace.model.updates import Updates

INPUTS, CLASSES = 37, 10
METHODS = {
    "nothing": RegularizationOptions(),
    "dropout": RegularizationOptions(dropout=0.3),
    "input dropout": RegularizationOptions(input_dropout=0.2),
    "input noise": RegularizationOptions(input_noise=0.4),
    "mixup": RegularizationOptions(mixup=0.7),
    "label smoothing": RegularizationOptions(label_smoothing=0.15),
    "all": RegularizationOptions(dropout=0.3, input_dropout=0.2, input_noise=0.4, mixup=0.7, label_smoothing=0.15),
}
NETWORKS = [
    NetworkOptions(hidden=hidden, activation=activation, norm=norm, skip=skip, expansion=3)
    for activation, norm, (hidden, skip) in itertools.product(
        ACTIVATIONS, NORMS, [((), False), ((33, 19), False), ((21, 21, 21), True)]
    )
]


def _name(options: NetworkOptions) -> str:
    return f"{len(options.hidden)}-{options.activation}-{options.norm}{'-skip' * options.skip}"


def _bits(array: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    return array.view(np.uint32)


def _net(network: Network) -> page.Perceptron:
    return page.Perceptron(network.options, network.regularization, network.layout)


def _case(network: Network, rows: int) -> tuple[Floats, Floats, npt.NDArray[np.uint8], RowKeys]:
    rng = np.random.default_rng(network.parameters + rows)
    flat = (network.initial(3) + 0.3 * rng.standard_normal(network.parameters)).astype(np.float32)
    x = (3 * rng.standard_normal((rows, INPUTS))).astype(np.float32)
    keys = RowKeys(9, 2, rng.integers(0, 1 << 32, rows))
    return flat, x, rng.integers(0, CLASSES, rows).astype(np.uint8), keys


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", NETWORKS, ids=_name)
def test_the_page_and_the_kernels_are_equal_in_every_bit(options: NetworkOptions, method: str) -> None:
    r = METHODS[method]
    network = Network(options, INPUTS, CLASSES, r)
    net = _net(network)
    with threadpoolctl.threadpool_limits(1, "blas"):
        for rows in (1, 2, 29):
            flat, x, y, keys = _case(network, rows)
            out, workspace = np.full(network.parameters, np.nan, np.float32), network.workspace(32)
            result = network.gradient(flat, x, y, out, workspace, keys)
            expected, loss, correct = page.gradient(net, flat, x, y, keys)
            # Without keys, as in evaluation.
            plain = page.network(net, flat, expected.copy(), None)(x)[0]
            logits = network.logits(flat, x)
            assert np.array_equal(_bits(out), _bits(expected))
            assert (result.loss, result.correct) == (loss, correct)
            assert np.array_equal(_bits(logits), _bits(plain))


def test_logits_far_apart_lose_no_bit() -> None:
    network = Network(NetworkOptions(hidden=(30,), activation="gelu"), INPUTS, CLASSES)
    flat, x, y, _ = _case(network, 20)
    flat *= 20
    out = np.empty_like(flat)
    with threadpoolctl.threadpool_limits(1, "blas"):
        loss = network.gradient(flat, x, y, out, network.workspace(20)).loss
        expected = page.gradient(_net(network), flat, x, y)
    assert loss > 1000
    assert loss == expected[1]
    assert np.array_equal(_bits(out), _bits(expected[0]))


def test_weight_noise_is_that_of_the_updates() -> None:
    network = Network(NetworkOptions(hidden=(33, 19), norm="layer"), INPUTS, CLASSES)
    flat, _, _, _ = _case(network, 1)
    rule = optimizer(OptimizerOptions("sgd"), network.layout)
    view = Updates(rule, RegularizationOptions(weight_noise=0.1), seed=5).view(flat, {}, 7, None)
    assert np.array_equal(_bits(view), _bits(page.weight_noise(network.layout, flat, 0.1, 5, 7)))


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_an_optimizer_follows_the_average_with_the_penalty(decay: float) -> None:
    network = Network(NetworkOptions(hidden=(33,)), INPUTS, CLASSES)
    flat, x, y, _ = _case(network, 20)
    total, _, _ = page.gradient(_net(network), flat, x, y)
    g = page.average(network.layout, flat, total, 20, decay)
    expected = flat - np.float32(0.1) * g
    rule = optimizer(OptimizerOptions("sgd", decay=decay), network.layout)
    rule.update(Step(flat, {}, total, None, 20, 0.1, 1), 0, flat.size)
    assert np.array_equal(_bits(flat), _bits(expected))


def test_every_method_of_the_options_is_on_the_page() -> None:
    """Clipping, max-norm and averaging surround the update (`model.updates`); early stopping is the trainer's."""
    assert set(page.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(OPTIMIZERS) >= {"sgd"}
    elsewhere = {"clip", "max_norm", "average", "early_stopping"}
    fields = {field.name for field in dataclasses.fields(RegularizationOptions)}
    assert fields - elsewhere == {
        "dropout", "input_dropout", "input_noise", "weight_noise", "mixup", "label_smoothing",
    }  # fmt: skip


def test_the_page_and_the_kernels_are_equal_with_300_classes_and_rows_shown_more_than_once() -> None:
    r = RegularizationOptions(dropout=0.2, input_noise=0.1, mixup=0.5, label_smoothing=0.1)
    network = Network(NetworkOptions(hidden=(8,)), INPUTS, 300, r)
    flat, x, _, keys = _case(network, 29)
    y = np.arange(299, 270, -1).astype(np.uint16)
    shown = RowKeys(9, np.arange(29) % 5, keys.samples)
    out = np.full(network.parameters, np.nan, np.float32)
    with threadpoolctl.threadpool_limits(1, "blas"):
        result = network.gradient(flat, x, y, out, network.workspace(32), shown)
        expected, loss, correct = page.gradient(_net(network), flat, x, y, shown)
        one = x[2:3], y[2:3], out.copy(), network.workspace(32)
        alone = network.gradient(flat, *one, RowKeys(9, 2, keys.samples[2:3]))
        same = network.gradient(flat, *one, RowKeys(9, np.array([2]), keys.samples[2:3]))
    assert np.array_equal(_bits(out), _bits(expected))
    assert (result.loss, result.correct) == (loss, correct)
    assert alone == same
