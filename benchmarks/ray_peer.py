"""The peer: a parameter server as Ray's documentation writes it, with the network in NumPy.

    python -m benchmarks.ray_peer --batch 1024 --steps 200

After "Parameter Server", https://docs.ray.io/en/latest/ray-core/examples/plot_parameter_server.html, the synchronous
one: every worker takes its share of the batch in one piece from random data in its memory, computes the gradients of
784-999-299-10, one array for each layer's weights and biases, and the server adds them, takes one step of plain SGD
and returns the new weights. The driver passes references on and looks at the weights every tenth step, as there. No
augmentation, no normalisation, no order of samples, no ledger, no metrics, no checkpoint; one BLAS thread a process.
Arrays are float32 and are written over at each step; Ray copies what an actor returns.

Writes the samples per second of the later three quarters of the steps.
"""

import argparse
import itertools
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import ray

from millrace.workers.blas import one_blas_thread

Arrays = list[npt.NDArray[np.float32]]
WIDTHS = (784, 999, 299, 10)
RATE, ROWS, LOOK = 0.01, 8192, 10


class Server:
    """The weights, and plain SGD."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._weights: Arrays = []
        for inputs, units in itertools.pairwise(WIDTHS):
            self._weights += [_normal(rng, inputs, units) * np.float32((2 / inputs) ** 0.5), np.zeros(units, "f4")]
        self._sums = [np.empty_like(weight) for weight in self._weights]

    def weights(self) -> Arrays:
        """What training stands at."""
        return self._weights

    def apply(self, *gradients: Arrays) -> Arrays:
        """One step along the mean of the workers' mean gradients."""
        first, *others = gradients
        for k, (weight, total) in enumerate(zip(self._weights, self._sums, strict=True)):
            np.multiply(first[k], np.float32(-RATE / len(gradients)), out=total)
            for other in others:
                total -= np.float32(RATE / len(gradients)) * other[k]
            weight += total
        return self._weights


class Worker:
    """Gradients of the mean cross-entropy over `rows` samples of random data."""

    def __init__(self, number: int, rows: int) -> None:
        rng = np.random.default_rng(number)
        self._x, self._y = _normal(rng, ROWS, WIDTHS[0]), rng.integers(0, WIDTHS[-1], ROWS)
        self._rows, self._at = rows, 0
        self._outputs = [np.empty((rows, width), np.float32) for width in WIDTHS[1:]]
        self._deltas = [np.empty((rows, width), np.float32) for width in WIDTHS[1:-1]]
        self._every = np.arange(rows)
        self._gradients: Arrays = []
        for inputs, units in itertools.pairwise(WIDTHS):
            self._gradients += [np.empty((inputs, units), np.float32), np.empty(units, np.float32)]
        self._blas = one_blas_thread()
        self._blas.__enter__()

    def samples(self, span: slice) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Rows and classes."""
        return self._x[span], self._y[span]

    def gradients(self, weights: Arrays) -> Arrays:
        """Forward and backward."""
        self._at = self._at + self._rows if self._at + 2 * self._rows <= ROWS else 0
        x, y = self.samples(slice(self._at, self._at + self._rows))
        layers, values = len(WIDTHS) - 1, [x, *self._outputs]
        for k in range(layers):
            np.matmul(values[k], weights[2 * k], out=values[k + 1])
            values[k + 1] += weights[2 * k + 1]
            if k < layers - 1:
                np.maximum(values[k + 1], 0, out=values[k + 1])
        delta = values[-1]
        delta -= delta.max(1, keepdims=True)
        np.exp(delta, out=delta)
        delta /= delta.sum(1, keepdims=True)
        delta[self._every, y] -= 1
        delta /= np.float32(self._rows)
        for k in reversed(range(layers)):
            np.matmul(values[k].T, delta, out=self._gradients[2 * k])
            np.sum(delta, 0, out=self._gradients[2 * k + 1])
            if k:
                np.matmul(delta, weights[2 * k].T, out=self._deltas[k - 1])
                delta = self._deltas[k - 1]
                delta *= values[k] > 0
        return self._gradients


def train(batch: int, steps: int, workers: int) -> float:
    """Samples per second over the later three quarters of the steps."""
    server: Any = ray.remote(Server).remote()
    makers: Any = ray.remote(Worker)
    staff: list[Any] = [makers.remote(number, batch // workers) for number in range(workers)]
    weights = server.weights.remote()
    warm = steps // 4 // LOOK * LOOK
    begun = 0.0
    for step in range(steps):
        if step % LOOK == 0:
            ray.get(weights, timeout=60)
        if step == warm:
            begun = time.perf_counter()
        weights = server.apply.remote(*[worker.gradients.remote(weights) for worker in staff])
    ray.get(weights, timeout=60)
    return (steps - warm) * batch / (time.perf_counter() - begun)


def _normal(rng: np.random.Generator, rows: int, columns: int) -> npt.NDArray[np.float32]:
    return rng.standard_normal((rows, columns), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    ray.init(address="local", num_cpus=options.workers + 1, include_dashboard=False, log_to_driver=False)
    try:
        print(train(options.batch, options.steps, options.workers))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
