"""The gradient of a network with units far down GELU's left tail, as a long training makes them, against a fresh one's.

    python -m benchmarks.tails [--rounds 21]

784-1024-1024-10, 256 rows, one BLAS thread; a tenth of the hidden units have their bias at -18. Both compute the same
products. Without settled deltas (`model/fast/settling.py`), a part of the first one's would be subnormal numbers.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.rounds import arguments, ratio, table, take_turns, timed
from millrace.model import Network, NetworkOptions
from millrace.model.layout import Floats
from millrace.workers.blas import one_blas_thread

ROWS, FAR = 256, -18.0


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=21)
    options = parser.parse_args()
    network = Network(NetworkOptions(hidden=(1024, 1024), activation="gelu"), inputs=784, classes=10)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, 784)).astype(np.float32)
    y = rng.integers(0, 10, ROWS).astype(np.uint8)
    fresh, far = network.initial(seed=0), network.initial(seed=0)
    for _, bias in network.views(far)[:-1]:
        bias[::10] = FAR
    out, workspace = np.empty_like(fresh), network.workspace(ROWS)

    def gradient(weights: Floats) -> Callable[[], float]:
        return timed(lambda: network.gradient(weights, x, y, out, workspace), warm=1)

    with one_blas_thread():
        found = take_turns({"a tenth far down the tail": gradient(far), "fresh": gradient(fresh)}, options.rounds)
    print(table(found, f"µs, {network.parameters:,} parameters, {ROWS} rows"))
    print(f"to the fresh one  {ratio(found, 'a tenth far down the tail', 'fresh'):.2f}   (bar: 1.05)")


if __name__ == "__main__":
    main()
