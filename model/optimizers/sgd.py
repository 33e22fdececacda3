"""Stochastic gradient descent."""

from typing import Any

import numpy as np

from millrace.compiled import BOOL, F32, array, kernel, readonly
from millrace.model.layout import Floats
from millrace.model.optimizers.base import Optimizer, State
from millrace.model.optimizers.gradient import averaged


@kernel(array(F32), readonly(F32), readonly(F32), BOOL, F32, F32, F32, F32)
def _step(w: Any, left: Any, right: Any, paired: Any, divisor: Any, scale: Any, decay: Any, rate: Any) -> None:
    for i in range(w.shape[0]):
        w[i] -= rate * averaged(left[i], right[i], paired, divisor, scale, decay, w[i])


class Sgd(Optimizer):
    """θ ← θ − ηg (Deep Learning, algorithm 8.1). PyTorch and optax do the same; they decay biases too."""

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
        _step(weights, *sums, *average, decay, np.float32(rate))
