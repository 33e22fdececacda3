"""What every optimizer shares: state by name, a fused update that may be cut anywhere, a published view."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from millrace.model.layout import Floats, Layout
from millrace.model.options import OptimizerOptions

State = dict[str, Floats]


def power(base: float, exponent: int) -> float:
    """base to a whole power by repeated squaring: multiplications only, so the same bits on every machine."""
    value = 1.0
    while exponent:
        if exponent & 1:
            value *= base
        base *= base
        exponent >>= 1
    return value


class Optimizer(ABC):
    """Turns summed gradients into new weights. Holds options and layout; its state lies with the caller.

    Where an update rule follows Goodfellow, Bengio, Courville: Deep Learning, its docstring says which algorithm.
    """

    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: OptimizerOptions, layout: Layout) -> None:
        self.options, self.layout = options, layout

    def initial_state(self, parameters: int) -> State:
        """The state before the first step: float32 arrays of shape (parameters,), zero."""
        return {name: np.zeros(parameters, np.float32) for name in self.state_names}

    def update(
        self,
        weights: Floats,
        state: State,
        left: Floats,
        right: Floats | None,
        divisor: float,
        rate: float,
        t: int,
        begin: int,
        end: int,
        *,
        scale: float = 1.0,
    ) -> None:
        """One step on the elements [begin, end) of weights and state, in place.

        The gradient is g = (left + right) / divisor · scale + decay · w in float32, in this order, with left + right
        the root of the reduction tree (left alone where right is None) and the last term for weights only.
        All arrays: float32 (parameters,), C-contiguous; left and right are only read. divisor: how many
        samples the sums are over. rate: the learning rate of this step. t: the step, from 1. scale: for
        clipping. Every element is computed from its own alone, so cuts never change a bit.
        """
        pieces = [(begin, end, False)] if self.options.decay == 0 else self.layout.runs(begin, end)
        for low, high, decays in pieces:
            piece = slice(low, high)
            self._piece(
                weights[piece],
                {name: array[piece] for name, array in state.items()},
                (left[piece], left[piece] if right is None else right[piece]),
                (right is not None, np.float32(divisor), np.float32(scale)),
                np.float32(self.options.decay if decays else 0.0),
                rate,
                t,
            )

    def view(self, weights: Floats, state: State, out: Floats | None = None) -> Floats:
        """The weights to publish, where gradients are taken: here the weights themselves.

        A rule whose view is another array writes it to `out`, float32 (parameters,), or to a new one.
        """
        return weights

    @abstractmethod
    def _piece(
        self,
        weights: Floats,
        state: State,
        sums: tuple[Floats, Floats],
        average: tuple[bool, np.float32, np.float32],
        decay: np.float32,
        rate: float,
        t: int,
    ) -> None:
        """The step on slices of one kind; `average` is (whether right counts, divisor, scale) for `gradient`."""
