"""Adam with averaging, fused, against copying the same bytes: `python -m benchmarks.adam`. One thread, medians.

The update reads weights, two moments and the two halves of the gradient's sum and writes weights and moments: eight
arrays of float32 pass through. The copy moves as many: four arrays read, four written. Bar: within 1.5 times of it.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.rounds import arguments, ratio, table, take_turns
from model import NetworkOptions, OptimizerOptions, optimizer
from model.network import Network
from workers.blas import one_blas_thread

BAR = 1.5
CALLS = 30


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "").parse_args()
    network = Network(NetworkOptions(hidden=(999, 299)), 784, 10)
    size = network.parameters
    adam = optimizer(OptimizerOptions(name="adam"), network.layout)
    weights, state = network.initial(0), adam.initial_state(size)
    left, right = np.full(size, 1e-3, np.float32), np.full(size, 2e-3, np.float32)
    sources, targets = [np.ones(size, np.float32) for _ in range(4)], [np.empty(size, np.float32) for _ in range(4)]

    def update() -> None:
        adam.update(weights, state, left, right, 512.0, 1e-3, 10, 0, size)

    def copy() -> None:
        for source, target in zip(sources, targets, strict=True):
            np.copyto(target, source)

    with one_blas_thread():
        found = take_turns({"adam": _timed(update), "copy": _timed(copy)}, options.rounds)
    print(table(found, "ms"))
    print(f"adam / copy: {ratio(found, 'adam', 'copy'):.2f}, bar: at most {BAR}")


def _timed(work: Callable[[], None]) -> Callable[[], float]:
    """The median of some calls, in milliseconds."""

    def measure() -> float:
        times = []
        for _ in range(CALLS):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1e3

    return measure


if __name__ == "__main__":
    main()
