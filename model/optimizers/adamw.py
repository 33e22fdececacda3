"""AdamW: Adam with a weight decay of its own, beside the gradient."""

import numpy as np

from millrace.model.layout import Floats
from millrace.model.optimizers.adam import Adam
from millrace.model.optimizers.base import State


class AdamW(Adam):
    """θ ← (1 − ηλ)θ − ηŝ/(√r̂ + δ): Loshchilov and Hutter 2019, algorithm 2, with λ the weight decay.

    Adam as in Deep Learning, algorithm 8.7; the decay does not pass through the moments, and spares biases. η is the
    scheduled rate, so the decay follows the schedule, as in PyTorch and optax; the paper multiplies both terms
    by the schedule alone. PyTorch's default λ is 0.01, optax's 1e-4, here it is 0; both decay biases too.
    """

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
        keep = np.float32(1.0 - rate * float(decay))
        self._move(weights, state, sums, average, (np.float32(0.0), keep), rate, t)
