"""One update of the weights with all that surrounds it: clipping, the optimizer, max-norm, averaging, the view."""

import math
from collections.abc import Callable

import numpy as np

from millrace.model.fast.noise import add_weight_noise
from millrace.model.layout import Floats
from millrace.model.norms import (
    UnitSquares,
    add_unit_squares,
    blend,
    gradient_norm,
    limit_part,
    limit_units,
    no_squares,
)
from millrace.model.optimizers import Optimizer, OptimizerState, Step
from millrace.model.options import RegularizationOptions

Spread = Callable[[Callable[[int, int], None], int], None]  # has work(begin, end) done for pieces that cover [0, size)
AVERAGE = "average"  # the name of the running average among the state's arrays


def served(weights: Floats, state: OptimizerState) -> Floats:
    """The weights that are evaluated, exported and used: their average where there is one, never the view."""
    return state.get(AVERAGE, weights)


class Updates:
    """Moves weights and state in place; holds neither. The state is the optimizer's, and the average beside it."""

    def __init__(self, optimizer: Optimizer, regularization: RegularizationOptions, seed: int) -> None:
        self._optimizer, self._regularization, self._seed = optimizer, regularization, seed

    def initial_state(self, weights: Floats) -> OptimizerState:
        """The state before the first step: moments at zero, the average at the first weights."""
        state = self._optimizer.initial_state(len(weights))
        return {**state, AVERAGE: weights.copy()} if self._regularization.average else state

    def scale(self, left: Floats, right: Floats | None, divisor: float) -> float:
        """What clipping multiplies the averaged gradient by (Pascanu et al. 2013; Deep Learning, 10.11.1): 1 where it
        is short enough or clipping is off; not-a-number where the gradient is not finite."""
        most = self._regularization.clip
        return self.scale_of(gradient_norm(left, right, divisor)) if most else 1.0

    def scale_of(self, norm: float) -> float:
        """`scale` of a gradient of this norm."""
        most = self._regularization.clip
        if not most:
            return 1.0
        if not math.isfinite(norm):
            return math.nan
        return most / norm if norm > most else 1.0

    def step(self, step: Step, spread: Spread | None = None) -> None:
        """The whole update, in place. spread: has the optimizer's part done by whoever helps."""

        def update(begin: int, end: int) -> None:
            self._optimizer.update(step, begin, end)

        if spread is None:
            self.move(step)
        else:
            spread(update, len(step.weights))
        r = self._regularization
        if r.max_norm:
            limit_units(step.weights, self._optimizer.layout, r.max_norm)
        self.average(step.weights, step.state, step.t)

    # The same in pieces, for weights that lie in parts: all parts move, then, where units are limited, the sums of
    # their squares pass from part to part, and all limit them; at last comes the average.

    def move(self, step: Step) -> None:
        """The optimizer's part of a step, in place."""
        self._optimizer.update(step, 0, len(step.weights))

    @property
    def limits(self) -> bool:
        """Whether max-norm is on."""
        return bool(self._regularization.max_norm)

    def no_squares(self) -> UnitSquares:
        """What the first part adds to."""
        return no_squares(self._optimizer.layout)

    def add_unit_squares(self, weights: Floats, at: int, squares: UnitSquares) -> None:
        """Add a part's, which begins at the index `at`, to those of the parts before."""
        add_unit_squares(weights, at, self._optimizer.layout, squares)

    def limit(self, weights: Floats, at: int, squares: UnitSquares) -> None:
        """Max-norm on a part, in place. squares: of all parts."""
        limit_part(weights, at, self._optimizer.layout, squares, self._regularization.max_norm)

    def average(self, weights: Floats, state: OptimizerState, t: int) -> None:
        """The last part of a step: what the running average, where there is one, takes of step t from 1."""
        if self._regularization.average:
            blend(state[AVERAGE], weights, self._regularization.average, t)

    def view(
        self, weights: Floats, state: OptimizerState, step: int, room: Floats | None = None, at: int = 0
    ) -> Floats:
        """Where the gradients of a step are taken: the optimizer's view plus weight noise; into `room` (float32
        (parameters,), made where None) unless it is the weights themselves. at: see `Step`."""
        deviation = self._regularization.weight_noise
        view = self._optimizer.view(weights, state, room)
        if not deviation:
            return view
        room = np.empty_like(weights) if room is None else room
        return add_weight_noise(view, deviation, self._seed, step, self._optimizer.layout, room, at)
