"""The fused update (average of two gradients, Adam) against copying the same bytes, on one thread.

    python -m benchmarks.adam [--rounds 51]

The update reads five arrays (weights, two moments, the two halves of the gradient sum) and writes three of them; four
copies among five arrays read four and write four: as many bytes, in as much memory. Network: 784-999-299-10.
"""

import itertools

import numpy as np

from benchmarks.rounds import arguments, ratio, table, take_turns, timed
from millrace.model import Network, NetworkOptions, OptimizerOptions, optimizer
from millrace.model.optimizers import Step


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=51)
    options = parser.parse_args()
    network = Network(NetworkOptions(hidden=(999, 299)), inputs=784, classes=10)
    adam = optimizer(OptimizerOptions(name="adam"), network.layout)
    weights = network.initial(seed=0)
    state = adam.initial_state(network.parameters)
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal(network.parameters).astype(np.float32) for _ in range(2))
    arrays = [rng.random(network.parameters, np.float32) for _ in range(5)]

    steps = itertools.count(1)

    def update() -> None:
        adam.update(Step(weights, state, left, right, 512.0, 0.001, next(steps)), 0, network.parameters)

    def copy() -> None:
        for target in range(4):
            np.copyto(arrays[target], arrays[target + 1])

    found = take_turns({"adam with averaging": timed(update), "copy of the same bytes": timed(copy)}, options.rounds)
    print(table(found, f"µs, {network.parameters:,} parameters"))
    print(f"to the copy  {ratio(found, 'adam with averaging', 'copy of the same bytes'):.2f}   (bar: at most 1.5)")


if __name__ == "__main__":
    main()
