"""The peer of benchmarks/accuracy.py: `python -m benchmarks.accuracy_peer IMAGES.npy LABELS.npy`.

PyTorch as in its "Performance Tuning Guide" (docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html): a
DataLoader of two processes that stay, torchvision's RandomAffine with the ranges of `digits`, fused Adam. Prints a line
of JSON: when training began (monotonic seconds) and how long the second epoch took.
"""

import json
import os
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.loaders import ByImage

BATCH, EPOCHS = 256, 40


class Digits(ByImage):
    """Images moved about as `digits` does, as normalised floats."""

    def __init__(self, images: Any, labels: Any) -> None:
        super().__init__(images, labels)
        v2 = import_module("torchvision.transforms.v2")
        torch = import_module("torch")
        # `digits` shears by a tangent of 0.1 either way: 5.7 degrees.
        affine = v2.RandomAffine(12, (0.08, 0.08), (0.88, 1.12), 5.7, v2.InterpolationMode.BILINEAR)
        mean, std = float(images.mean()) / 255, float(images.std()) / 255
        self.change = v2.Compose([affine, v2.ToDtype(torch.float32, scale=True), v2.Normalize((mean,), (std,))])


def main() -> None:
    torch = import_module("torch")
    torch.set_num_threads(1)  # the loader's processes keep the cores busy
    loader = torch.utils.data.DataLoader(
        Digits(np.load(sys.argv[1]), np.load(sys.argv[2])), BATCH, shuffle=True, num_workers=2, persistent_workers=True
    )
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(784, 999), torch.nn.ReLU(), torch.nn.Linear(999, 299), torch.nn.ReLU(),
        torch.nn.Linear(299, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), 0.001, fused=True)
    steps = EPOCHS * len(loader)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 0.00001)
    began, taken = time.monotonic(), 0.0
    for _ in range(2):
        begun = time.monotonic()
        for images, labels in loader:
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(network(images), labels.long()).backward()
            optimizer.step()
            schedule.step()
        taken = time.monotonic() - begun
    print(json.dumps({"began": began, "epoch": taken}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
