"""The PyTorch side of `benchmarks.training`, run by a Python that has it: FOLDER EPOCHS BATCH THREADS WIDTHS…

For every line "go" on stdin it trains a new network for the epochs and prints the samples per second.
"""

import itertools
import sys
import time
from pathlib import Path

import numpy as np
import torch


def main() -> None:
    folder, (epochs, batch, threads, *widths) = Path(sys.argv[1]), map(int, sys.argv[2:])
    torch.set_num_threads(threads)
    x = torch.from_numpy(np.load(folder / "x.npy"))
    y = torch.from_numpy(np.load(folder / "y.npy").astype(np.int64))
    for line in sys.stdin:
        print(torch.__version__ if line.strip() == "version" else train(x, y, epochs, batch, widths), flush=True)


def train(x: torch.Tensor, y: torch.Tensor, epochs: int, batch: int, widths: list[int]) -> float:
    """Samples per second."""
    layers: list[torch.nn.Module] = []
    for inputs, units in itertools.pairwise(widths):
        layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    begun = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for first in range(0, len(x), batch):
            rows = order[first : first + batch]
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
    return epochs * len(x) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
