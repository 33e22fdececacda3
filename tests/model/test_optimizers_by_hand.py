"""First steps of the update rules, with numbers that a pencil finds."""

import numpy as np
import pytest

from millrace.model.layout import dense
from millrace.model.optimizers import Step, optimizer
from millrace.model.options import OptimizerOptions

FOUR = dense((2, 2))  # six parameters: four weights, two biases


def test_two_steps_of_momentum_by_hand() -> None:
    rule = optimizer(OptimizerOptions("momentum", momentum=0.5), FOUR)
    w, state = np.ones(6, np.float32), rule.initial_state(6)
    two, six = np.full(6, 2, np.float32), np.full(6, 6, np.float32)
    rule.update(Step(w, state, two, six, 4, 0.25, 1), 0, 6)  # g = 2: v = −0.5
    assert (w.tolist(), state["v"].tolist()) == ([0.5] * 6, [-0.5] * 6)
    rule.update(Step(w, state, two, None, 2, 0.25, 2), 0, 6)  # g = 1: v = −0.25 − 0.25
    assert (w.tolist(), state["v"].tolist()) == ([0.0] * 6, [-0.5] * 6)


def test_two_steps_of_nesterov_by_hand() -> None:
    rule = optimizer(OptimizerOptions("nesterov", momentum=0.5), FOUR)
    w, state, room = np.ones(6, np.float32), rule.initial_state(6), np.empty(6, np.float32)
    assert rule.view(w, state, room) is room
    assert room.tolist() == [1.0] * 6
    two, six = np.full(6, 2, np.float32), np.full(6, 6, np.float32)
    rule.update(Step(w, state, two, six, 4, 0.25, 1), 0, 6)  # g = 2: v = −0.5
    assert (w.tolist(), rule.view(w, state).tolist()) == ([0.5] * 6, [0.25] * 6)
    rule.update(Step(w, state, two, None, 2, 0.25, 2), 0, 6)  # g = 1: v = −0.25 − 0.25
    assert (w.tolist(), rule.view(w, state, room).tolist()) == ([0.0] * 6, [-0.25] * 6)


def test_two_steps_of_adagrad_and_rmsprop_by_hand() -> None:
    three = np.full(6, 3, np.float32)
    rule = optimizer(OptimizerOptions("adagrad", delta=1.0), FOUR)
    w, state = np.zeros(6, np.float32), rule.initial_state(6)
    rule.update(Step(w, state, three, None, 1, 4.0, 1), 0, 6)  # r = 9, w = −4 · 3 / (1 + 3)
    rule.update(Step(w, state, np.full(6, 4, np.float32), None, 1, 3.0, 2), 0, 6)  # r = 25, w = −3 − 3 · 4 / (1 + 5)
    assert (w.tolist(), state["r"].tolist()) == ([-5.0] * 6, [25.0] * 6)
    rule = optimizer(OptimizerOptions("rmsprop", rho=0.5, delta=11.5), FOUR)
    w, state = np.zeros(6, np.float32), rule.initial_state(6)
    rule.update(Step(w, state, three, None, 1, 4.0, 1), 0, 6)  # r = 4.5, w = −4 · 3 / √16
    assert (w.tolist(), state["r"].tolist()) == ([-3.0] * 6, [4.5] * 6)


def test_adamw_decays_beside_the_gradient_and_spares_biases() -> None:
    rule = optimizer(OptimizerOptions("adamw", decay=0.5), FOUR)
    w, state = np.full(6, 4, np.float32), rule.initial_state(6)
    rule.update(Step(w, state, np.zeros(6, np.float32), None, 1, 0.25, 1), 0, 6)
    assert w.tolist() == [3.5] * 4 + [4.0] * 2
    assert not any(a.any() for a in state.values())


def test_the_first_step_of_adam_has_the_size_of_the_rate() -> None:
    rule = optimizer(OptimizerOptions("adam"), FOUR)
    w, g = np.zeros(6, np.float32), np.array([1e-3, -1, 5, 100, -1e-4, 0], np.float32)
    rule.update(Step(w, rule.initial_state(6), g, None, 1, 0.5, 1), 0, 6)
    assert w == pytest.approx(np.array([-0.5, 0.5, -0.5, -0.5, 0.5, 0.0]), rel=2e-4)
