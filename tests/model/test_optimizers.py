"""Update rules against the book's formulas step by step, PyTorch's numbers, and themselves in pieces."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.elementary import power
from millrace.model.layout import Floats, dense
from millrace.model.optimizers import OPTIMIZERS, Step, optimizer
from millrace.model.options import OptimizerOptions

FOUR = dense((2, 2))  # six parameters: four weights, two biases

WEIGHTS = [1.0, -2.0, 3.0, 0.5]
GRADIENTS = [
    [0.5, -1.0, 0.25, 0.0],
    [0.1, 2.0, -0.75, 1e-3],
    [-0.3, 0.7, 0.125, -2e-3],
    [0.9, -0.6, 1.5, 4.0],
    [0.0, 0.05, -3.0, -1.0],
]

# The same five steps on the same weights as PyTorch 2.13 takes them, in float32.
TORCH: dict[str, tuple[OptimizerOptions, list[float]]] = {
    "sgd": (
        OptimizerOptions("sgd", 0.1),
        [0.8800000548362732, -2.115000009536743, 3.187499761581421, 0.20010000467300415],
    ),
    "sgd, decay": (
        OptimizerOptions("sgd", 0.1, decay=0.01),
        [0.8752697110176086, -2.1047401428222656, 3.1725800037384033, 0.19800493121147156],
    ),
    "momentum": (
        OptimizerOptions("momentum", 0.1, momentum=0.9),
        [0.6711549162864685, -2.358989715576172, 3.136672258377075, -0.1598019003868103],
    ),
    "momentum, decay": (
        OptimizerOptions("momentum", 0.1, momentum=0.5, decay=0.01),
        [0.7943381071090698, -2.2022624015808105, 3.1211624145507812, -0.0034593313466757536],
    ),
    "adam": (
        OptimizerOptions("adam", 0.01),
        [0.9691506028175354, -2.0024709701538086, 2.996713876724243, 0.48645147681236267],
    ),
    "adam, other moments": (
        OptimizerOptions("adam", 0.1, rho1=0.8, rho2=0.95, delta=1e-4),
        [0.7013896107673645, -2.030755043029785, 2.970747470855713, 0.3668258488178253],
    ),
    "adam, decay": (
        OptimizerOptions("adam", 0.01, decay=0.1),
        [0.9637472033500671, -1.9965100288391113, 2.980609655380249, 0.4603884220123291],
    ),
    "nesterov": (
        OptimizerOptions("nesterov", 0.1, momentum=0.9),
        [0.5840394496917725, -2.4380910396575928, 3.3105053901672363, -0.39372172951698303],
    ),
    "adagrad": (
        OptimizerOptions("adagrad", 0.1),
        [0.8475347757339478, -1.9965777397155762, 2.978025197982788, 0.4137022793292999],
    ),
    "adagrad, decay": (
        OptimizerOptions("adagrad", 0.1, delta=1e-10, decay=0.01),
        [0.8434970378875732, -1.993622899055481, 2.9712274074554443, 0.23549091815948486],
    ),
    "adamw": (
        OptimizerOptions("adamw", 0.01, decay=0.1),
        [0.9642347097396851, -1.9925086498260498, 2.9817676544189453, 0.4839783310890198],
    ),
    "adamw, other moments": (
        OptimizerOptions("adamw", 0.1, rho1=0.8, rho2=0.95, delta=1e-4, decay=0.5),
        [0.5090386867523193, -1.5849487781524658, 2.3026087284088135, 0.2633034586906433],
    ),
}


def _run(options: OptimizerOptions, rates: list[float] | None = None) -> npt.NDArray[np.float32]:
    """The four published weights after the five steps; each gradient is given as two sums over two samples."""
    rule = optimizer(options, FOUR)
    weights = np.array([*WEIGHTS, 0, 0], np.float32)
    state = rule.initial_state(6)
    for t, gradient in enumerate(GRADIENTS, start=1):
        total = 2 * np.array([*gradient, 0, 0], np.float32)
        left = total - np.float32(1)
        right = np.full(6, 1, np.float32)
        rate = options.rate if rates is None else rates[t - 1]
        rule.update(Step(weights, state, left, right, 2, rate, t), 0, 6)
    return rule.view(weights, state)[:4]


@pytest.mark.parametrize("name", TORCH)
def test_five_steps_are_those_of_pytorch(name: str) -> None:
    options, expected = TORCH[name]
    assert _run(options) == pytest.approx(np.array(expected), rel=2e-6, abs=1e-7)


@pytest.mark.parametrize("name", TORCH)
def test_five_steps_beside_pytorch_itself(name: str) -> None:
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not a dependency; its numbers are above")
    o, _ = TORCH[name]
    weights = torch.tensor(WEIGHTS, requires_grad=True)
    if o.name in ("adam", "adamw"):
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[o.name]
        peer = kind([weights], o.rate, (o.rho1, o.rho2), o.delta or 1e-8, weight_decay=o.decay)
    elif o.name == "adagrad":
        peer = torch.optim.Adagrad([weights], o.rate, eps=o.delta or 1e-7, weight_decay=o.decay)
    else:
        momentum = 0 if o.name == "sgd" else o.momentum
        nesterov = o.name == "nesterov"
        peer = torch.optim.SGD([weights], o.rate, momentum, weight_decay=o.decay, nesterov=nesterov)
    for gradient in GRADIENTS:
        weights.grad = torch.tensor(gradient)
        peer.step()
    assert _run(o) == pytest.approx(weights.detach().numpy(), rel=2e-6, abs=1e-7)


def test_rmsprop_is_that_of_pytorch_where_no_small_number_counts() -> None:
    # torch.optim.RMSprop(rate, alpha=0.9, eps=0) of PyTorch 2.13; the fourth weight begins with a gradient of 0.
    expected = np.array([0.951762318611145, -1.9990241527557373, 2.9927680492401123])
    got = _run(OptimizerOptions("rmsprop", 0.01, rho=0.9, delta=1e-20))
    assert got[:3] == pytest.approx(expected, rel=2e-6)


def _by_the_book(o: OptimizerOptions, rates: list[float]) -> list[float]:
    """The formulas of chapter 8 with Python's numbers, one weight at a time: what is published in the end."""
    result = []
    for at, weight in enumerate(WEIGHTS):
        w, v, s, r = weight, 0.0, 0.0, 0.0
        for t, rate in enumerate(rates, start=1):
            g = GRADIENTS[t - 1][at] + (0.0 if o.name == "adamw" else o.decay * w)
            if o.name == "sgd":
                w -= rate * g
            elif o.name in ("momentum", "nesterov"):
                v = o.momentum * v - rate * g
                w += v
            elif o.name == "adagrad":
                r += g * g
                w -= rate * g / (1e-7 + math.sqrt(r))
            elif o.name == "rmsprop":
                r = o.rho * r + (1 - o.rho) * g * g
                w -= rate * g / math.sqrt(1e-6 + r)
            else:
                w *= 1 - rate * o.decay if o.name == "adamw" else 1
                s = o.rho1 * s + (1 - o.rho1) * g
                r = o.rho2 * r + (1 - o.rho2) * g * g
                s_hat, r_hat = s / (1 - o.rho1**t), r / (1 - o.rho2**t)
                w -= rate * s_hat / (math.sqrt(r_hat) + 1e-8)
        result.append(w + o.momentum * v if o.name == "nesterov" else w)
    return result


@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_with_changing_rates_follow_the_book(name: str, decay: float) -> None:
    options = OptimizerOptions(name, decay=decay, momentum=0.75)
    rates = [0.1, 0.05, 0.2, 0.01, 0.02]
    assert _run(options, rates) == pytest.approx(np.array(_by_the_book(options, rates)), rel=3e-6, abs=1e-6)


def test_scale_and_decay_enter_the_gradient_and_biases_are_spared() -> None:
    rule = optimizer(OptimizerOptions("sgd", decay=0.5), FOUR)
    w = np.full(6, 4, np.float32)
    rule.update(Step(w, {}, np.full(6, 8, np.float32), None, 4, 1.0, 1, scale=0.25), 0, 6)
    # g = 8/4 · ¼ = ½; weights add ½ · 4
    assert w.tolist() == [1.5] * 4 + [3.5] * 2


@pytest.mark.parametrize("name", ["momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_moments_of_a_still_weight_end_at_zero_not_in_subnormals(name: str) -> None:
    rule = optimizer(OptimizerOptions(name, rho2=0.9, rho=0.9), FOUR)
    state, w, zero = rule.initial_state(6), np.ones(6, np.float32), np.zeros(6, np.float32)
    rule.update(Step(w, state, np.full(6, 1e-09, np.float32), None, 1, 0.1, 1), 0, 6)
    smallest = np.finfo(np.float32).smallest_normal
    for t in range(2, 700):
        rule.update(Step(w, state, zero, None, 1, 0.1, t), 0, 6)
        assert all(((np.abs(a) >= smallest) | (a == 0)).all() for a in state.values())
    assert not any(a.any() for a in state.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_not_a_number_is_not_hidden(name: str) -> None:
    rule = optimizer(OptimizerOptions(name), FOUR)
    w, state = np.ones(6, np.float32), rule.initial_state(6)
    rule.update(Step(w, state, np.array([np.nan, 1, np.inf, 1, 1, 1], np.float32), None, 1, 0.1, 1), 0, 6)
    rule.update(Step(w, state, np.ones(6, np.float32), None, 1, 0.1, 2), 0, 6)
    assert np.isfinite(w).tolist() == [False, True, False, True, True, True]


LAYOUT = dense((13, 11, 7))


def _case(name: str, decay: float) -> tuple[Any, Floats, dict[str, Floats], Floats, Floats]:
    rng = np.random.default_rng(5)
    rule = optimizer(OptimizerOptions(name, decay=decay), LAYOUT)
    arrays = [rng.standard_normal(LAYOUT.parameters).astype(np.float32) for _ in range(5)]
    state = {k: np.abs(a) for k, a in zip(rule.state_names, arrays[3:], strict=False)}
    return rule, arrays[0], state, arrays[1], arrays[2]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("paired", [True, False])
@settings(max_examples=20, deadline=None)
@given(
    cuts=st.lists(st.integers(0, LAYOUT.parameters), max_size=9),
    decay=st.sampled_from([0.0, 0.01]),
    shift=st.integers(0, 5),
)
def test_cuts_and_alignment_change_no_bit(name: str, paired: bool, cuts: list[int], decay: float, shift: int) -> None:
    rule, weights, state, left, right = _case(name, decay)
    other = right if paired else None
    numbers = (37, 0.003, 5)
    moved = [np.concatenate([np.zeros(shift, np.float32), a])[shift:] for a in (weights, left, right)]
    for array in moved[1:]:
        array.flags.writeable = False  # as it comes out of Ray's object store
    pieces = {k: a.copy() for k, a in state.items()}
    rule.update(Step(weights, state, left, other, *numbers), 0, weights.size)
    borders = sorted({0, *cuts, weights.size})
    for begin, end in pairwise(borders):
        rule.update(Step(moved[0], pieces, moved[1], moved[2] if paired else None, *numbers), begin, end)
    assert np.array_equal(weights, moved[0])
    assert all(np.array_equal(state[k], pieces[k]) for k in state)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_view_is_theta_and_the_state_starts_at_zero(name: str) -> None:
    rule, weights, _, _, _ = _case(name, 0.0)
    state = rule.initial_state(9)
    assert tuple(state) == rule.state_names
    assert all(a.shape == (9,) and a.dtype == np.float32 and not a.any() for a in state.values())
    if name == "nesterov":
        assert np.array_equal(rule.view(weights[:9], state), weights[:9])
    else:
        assert rule.view(weights, state) is weights


def test_elements_outside_of_the_range_stay() -> None:
    rule, weights, state, left, right = _case("adam", 0.01)
    before = weights.copy()
    rule.update(Step(weights, state, left, right, 2, 0.1, 1), 40, 60)
    changed = np.flatnonzero(weights != before)
    assert changed.min() == 40
    assert changed.max() == 59


def test_powers_are_exact_where_they_can_be() -> None:
    assert power(0.5, 10) == 2.0**-10
    assert power(0.9, 0) == 1.0
    assert power(0.999, 1000) == pytest.approx(math.exp(1000 * math.log(0.999)), rel=1e-12)
    assert power(0.9, 10**7) == 0.0
