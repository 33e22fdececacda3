"""Update rules and schedules against optax where the forms agree: its numbers, and optax itself where it is installed.

Where they do not agree, the docstrings of the rules say so: AdaGrad's δ and start, Nesterov's θ beside its view, which
weights decay, the first step of a warm-up.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from millrace.model.layout import dense
from millrace.model.optimizers import Step, optimizer
from millrace.model.options import OptimizerOptions, ScheduleOptions
from millrace.model.schedules import schedule
from tests.model.test_optimizers import GRADIENTS, WEIGHTS

STEPS = [0, 1, 9, 10, 29, 30, 40, 59, 60, 75, 99]  # of 100, ten an epoch; the full rate is 2

Peer = Callable[[Any], Any]

# Options, the call of optax 0.2.8 that has the same form, and the weights after its five steps in float32.
RULES: dict[str, tuple[OptimizerOptions, Peer, list[float]]] = {
    "sgd": (
        OptimizerOptions("sgd", 0.1),
        lambda optax: optax.sgd(0.1),
        [0.8800000548362732, -2.115000009536743, 3.187499761581421, 0.20010000467300415],
    ),
    "sgd, decay": (
        OptimizerOptions("sgd", 0.1, decay=0.01),
        lambda optax: optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.1)),
        [0.8752697110176086, -2.1047401428222656, 3.1725800037384033, 0.19800491631031036],
    ),
    "momentum": (
        OptimizerOptions("momentum", 0.1, momentum=0.9),
        lambda optax: optax.sgd(0.1, momentum=0.9),
        [0.6711549162864685, -2.358989715576172, 3.136672258377075, -0.1598019003868103],
    ),
    "nesterov": (
        OptimizerOptions("nesterov", 0.1, momentum=0.9),
        lambda optax: optax.sgd(0.1, momentum=0.9, nesterov=True),
        [0.5840394496917725, -2.4380910396575928, 3.3105056285858154, -0.39372164011001587],
    ),
    "adagrad": (  # the small number counts for neither
        OptimizerOptions("adagrad", 0.1, delta=1e-12),
        lambda optax: optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-20),
        [0.847534716129303, -1.9965777397155762, 2.978025197982788, 0.4136962890625],
    ),
    "rmsprop": (
        OptimizerOptions("rmsprop", 0.01, rho=0.9, delta=1e-6),
        lambda optax: optax.rmsprop(0.01, decay=0.9, eps=1e-6),
        [0.951762855052948, -1.9990242719650269, 2.9927704334259033, 0.48328545689582825],
    ),
    "adam": (
        OptimizerOptions("adam", 0.01),
        lambda optax: optax.adam(0.01),
        [0.9691507816314697, -2.0024707317352295, 2.9967141151428223, 0.4864516258239746],
    ),
    "adam, other moments": (
        OptimizerOptions("adam", 0.1, rho1=0.8, rho2=0.95, delta=1e-4),
        lambda optax: optax.adam(0.1, b1=0.8, b2=0.95, eps=1e-4),
        [0.7013896107673645, -2.030755043029785, 2.970747470855713, 0.3668258488178253],
    ),
    "adamw": (
        OptimizerOptions("adamw", 0.01, decay=0.1),
        lambda optax: optax.adamw(0.01, weight_decay=0.1),
        [0.9642348885536194, -1.9925082921981812, 2.981767177581787, 0.4839784801006317],
    ),
}

# The same for schedules: the rates at STEPS.
SCHEDULES: dict[str, tuple[ScheduleOptions, Peer, list[float]]] = {
    "linear": (
        ScheduleOptions("linear", final=0.01),
        lambda optax: optax.linear_schedule(2.0, 0.02, 100),
        [2.0, 1.9802, 1.8218, 1.802, 1.4258, 1.406, 1.208, 0.8318, 0.812, 0.515, 0.0398],
    ),
    "cosine": (
        ScheduleOptions("cosine", final=0.25),
        lambda optax: optax.cosine_decay_schedule(2.0, 100, alpha=0.25),
        [
            *(2.0, 1.9996298551559448, 1.9702203273773193, 1.9632923603057861, 1.7096803188323975, 1.6908389329910278),
            *(1.4817626476287842, 1.0407567024230957, 1.0182372331619263, 0.7196699380874634, 0.5003700852394104),
        ],
    ),
    "exponential": (
        ScheduleOptions("exponential", final=0.01),
        lambda optax: optax.exponential_decay(2.0, 100, 0.01),
        [
            *(2.0, 1.9099851846694946, 1.3213868141174316, 1.2619147300720215, 0.5260536074638367, 0.5023772716522217),
            *(0.3169786334037781, 0.1321386992931366, 0.12619145214557648, 0.06324554979801178, 0.0209425687789917),
        ],
    ),
    "step": (
        ScheduleOptions("step", every=3.0, factor=0.5),
        lambda optax: optax.exponential_decay(2.0, 30, 0.5, staircase=True),
        [2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25],
    ),
    "one-cycle": (
        ScheduleOptions("one-cycle", rise=0.4, final=0.01),
        lambda optax: optax.cosine_onecycle_schedule(100, 2.0, pct_start=0.4, div_factor=25.0, final_div_factor=4.0),
        [
            *(0.08000004291534424, 0.08295953273773193, 0.31001031398773193, 0.3611774444580078, 1.6634702682495117),
            *(
                1.7188224792480469,
                2.0,
                1.5491925477981567,
                1.5049999952316284,
                0.7537691593170166,
                0.021356726065278053,
            ),
        ],
    ),
}


def _run(options: OptimizerOptions) -> Any:
    """The published weights after the five steps."""
    rule = optimizer(options, dense((2, 2)))
    weights = np.array([*WEIGHTS, 0, 0], np.float32)
    state = rule.initial_state(6)
    for t, gradient in enumerate(GRADIENTS, start=1):
        rule.update(Step(weights, state, np.array([*gradient, 0, 0], np.float32), None, 1, options.rate, t), 0, 6)
    return rule.view(weights, state)[:4]


@pytest.mark.parametrize("name", RULES)
def test_five_steps_are_those_of_optax(name: str) -> None:
    options, _, expected = RULES[name]
    assert _run(options) == pytest.approx(np.array(expected), rel=2e-6, abs=2e-7)


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_those_of_optax(name: str) -> None:
    options, _, expected = SCHEDULES[name]
    rate = schedule(options, 2.0, 100, 10)
    assert [rate(step) for step in STEPS] == pytest.approx(expected, rel=1e-5, abs=1e-6)  # optax rounds to float32


@pytest.mark.parametrize("name", RULES)
def test_five_steps_beside_optax_itself(name: str) -> None:
    optax: Any = pytest.importorskip("optax", reason="optax is not a dependency; its numbers are above")
    options, peer, _ = RULES[name]
    rule, weights = peer(optax), np.array(WEIGHTS, np.float32)
    state = rule.init(weights)
    for gradient in GRADIENTS:
        moves, state = rule.update(np.array(gradient, np.float32), state, weights)
        weights = optax.apply_updates(weights, moves)
    assert _run(options) == pytest.approx(np.asarray(weights), rel=2e-6, abs=2e-7)


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_beside_optax_itself(name: str) -> None:
    optax: Any = pytest.importorskip("optax", reason="optax is not a dependency; its numbers are above")
    options, peer, _ = SCHEDULES[name]
    ours, theirs = schedule(options, 2.0, 100, 10), peer(optax)
    assert [ours(step) for step in STEPS] == pytest.approx([float(theirs(k)) for k in STEPS], rel=1e-5, abs=1e-6)
