"""The peers of benchmarks/training.py: `python -m benchmarks.training_peer NAME FOLDER EPOCHS BATCH THREADS WIDTHS…`.

For every line on stdin the same network is trained anew for the epochs, and a line of JSON has its samples per second.
Float32 data in memory, no augmentation, Adam. Nothing is imported, loaded or compiled before the first line, so that a
peer whose turn it is not takes no time from the others; none of it counts.

  eager, compiled   PyTorch with fused Adam, gradients set to none, and `torch.compile` around network and loss, as in
                    its "Performance Tuning Guide" (docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html)
  scikit-learn      MLPClassifier, which takes as many threads as BLAS does (scikit-learn.org, "Neural network models")
"""

import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def pytorch(
    x: Any, y: Any, epochs: int, batch: int, threads: int, widths: list[int], compiled: bool
) -> Callable[[], float]:
    """PyTorch, on so many threads."""
    torch = import_module("torch")
    torch.set_num_threads(threads)
    x, y = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
    layers: list[Any] = []
    for inputs, units in itertools.pairwise(widths):
        layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])

    def loss(some: Any, marks: Any) -> Any:
        return torch.nn.functional.cross_entropy(network(some), marks)

    made = torch.compile(loss, dynamic=False) if compiled else loss
    for _ in range(3):  # compiled and warm before the clock starts
        made(x[:batch], y[:batch]).backward()

    def train() -> float:
        for layer in layers[::2]:
            layer.reset_parameters()
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        begun, count = time.perf_counter(), 0
        for _ in range(epochs):
            order = torch.randperm(len(x))
            for first in range(0, len(x) - batch + 1, batch):  # another shape would be compiled anew
                rows = order[first : first + batch]
                optimizer.zero_grad(set_to_none=True)
                made(x[rows], y[rows]).backward()
                optimizer.step()
                count += batch
        return count / (time.perf_counter() - begun)

    return train


def scikit_learn(x: Any, y: Any, epochs: int, batch: int, widths: list[int]) -> Callable[[], float]:
    """MLPClassifier."""
    networks = import_module("sklearn.neural_network")

    def train() -> float:
        network = networks.MLPClassifier(tuple(widths[1:-1]), batch_size=batch, alpha=0.0, max_iter=epochs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            begun = time.perf_counter()
            network.fit(x, y)
        return len(x) * epochs / (time.perf_counter() - begun)

    return train


def main() -> None:
    name, folder, (epochs, batch, threads, *widths) = sys.argv[1], Path(sys.argv[2]), map(int, sys.argv[3:])
    train: Callable[[], float] | None = None
    for _ in sys.stdin:
        if train is None:
            x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
            try:
                if name == "scikit-learn":
                    train = scikit_learn(x, y, epochs, batch, widths)
                else:
                    train = pytorch(x, y, epochs, batch, threads, widths, name == "compiled")
            except ImportError as error:
                print(json.dumps({"missing": str(error)}), flush=True)
                return
        print(json.dumps({"rate": train()}), flush=True)


if __name__ == "__main__":
    main()
