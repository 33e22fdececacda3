"""The stream as a library, read by PyTorch: `make peers`, then with that environment's Python

    .venv-peers/bin/python -m benchmarks.library [--rounds 5] [--shapes 1x28x28 3x32x32]

Two threads, batches of 256, MNIST and noise of 3×32×32; images per second, contenders in turns, medians of ratios.

  bare         `pipeline.Stream.rows` on two threads: ordered, drawn and warped uint8, and dropped
  uint8        `for images, labels in stream.torch(dtype="uint8")` with a sum of every batch, by one thread of
               PyTorch's: two cores are taken already, and its threads would wait for each other by spinning
  words        the same, the sum over the bytes as int64 words, of which PyTorch makes no int32 copy
  float32      the same, normalised
  grid_sample  PyTorch's batched `affine_grid` and `grid_sample` on two threads, matrices given, rounded to uint8
  DataLoader   two worker processes and torchvision's RandomAffine on every image (where torchvision is installed)

Bars: uint8 0.8 of bare, float32 0.5 of bare; uint8 3 times grid_sample and 40 times the DataLoader; the first batch
within 0.1 s of `millrace.stream`.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import millrace
from benchmarks.rounds import arguments, mnist, ratio, table, take_turns
from millrace import datasets
from millrace.pipeline import Policy, Stream
from millrace.pipeline.draw import draw

BATCH, THREADS = 256, 2
SUMMED = {torch.uint8: torch.int32}  # its default for them, int64, takes four times as long: 1 ms for 3×32×32
POLICY = Policy("affine", translate=0.1, rotate=15, scale=(0.9, 1.1), shear=0.1)
BARS = {
    "uint8 / bare": 0.8,
    "words / bare": 0.8,
    "float32 / bare": 0.5,
    "uint8 / grid_sample": 3,
    "uint8 / DataLoader": 40,
}
PEER_IMAGES = 4096  # of an epoch of the DataLoader


class Pictures(Dataset[Any]):  # type: ignore[misc]
    """One image at a time, as torchvision transforms it."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images
        self.change = import_module("torchvision.transforms").RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 5.7)

    def __len__(self) -> int:
        return PEER_IMAGES

    def __getitem__(self, row: int) -> Any:
        return self.change(self.images[row])


class Contest:
    """The contenders on images of one kind; each answers in images per second."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels
        options: dict[str, Any] = {"batch": BATCH, "policy": POLICY, "threads": THREADS}
        begun = time.perf_counter()
        self.stream = millrace.stream((images, labels), **options)
        self.opened = time.perf_counter()
        next(iter(self.stream.torch()))
        self.first = time.perf_counter() - self.opened
        self.opening = self.opened - begun
        self.bare_stream = Stream(images, labels, policy=POLICY, seed=0, batch=BATCH, slot_size=BATCH)
        self.tensor = torch.from_numpy(images.copy())

    def contenders(self) -> dict[str, Callable[[], float]]:
        found = {
            "bare": self.bare,
            "uint8": lambda: self.summed("uint8"),
            "words": lambda: self.summed("uint8", words=True),
            "float32": lambda: self.summed("float32"),
            "grid_sample": self.grid_sample,
        }
        try:
            import_module("torchvision")
        except (ImportError, RuntimeError):  # its operators are built for one version of PyTorch
            print("no torchvision here: no DataLoader with RandomAffine")
        else:
            found["DataLoader"] = self.loader
        return found

    def bare(self) -> float:
        order, steps = self.bare_stream.order, len(self.stream)
        begun = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            total = sum(
                pool.map(lambda step: len(self.bare_stream.rows(0, *order.span(step, 0)).samples), range(steps))
            )
        return total / (time.perf_counter() - begun)

    def summed(self, dtype: str, *, words: bool = False) -> float:
        torch.set_num_threads(1)
        total, count, begun = torch.zeros((), dtype=torch.float64), 0, time.perf_counter()
        for images, _ in self.stream.torch(1, dtype=dtype):
            total += images.view(torch.int64).sum() if words else images.sum(dtype=SUMMED.get(images.dtype))
            count += len(images)
        return count / (time.perf_counter() - begun)

    def grid_sample(self) -> float:
        torch.set_num_threads(THREADS)
        height, width = self.images.shape[2:]
        count, begun = 0, time.perf_counter()
        order = torch.randperm(len(self.tensor))
        for first in range(0, len(order) // 4, BATCH):
            rows = order[first : first + BATCH]
            drawn = draw(POLICY, rows.numpy(), height=height, width=width, seed=0, epoch=0)
            matrices = torch.from_numpy(drawn.matrices).reshape(-1, 2, 3)
            source = self.tensor[rows].to(torch.float32)
            grid = torch.nn.functional.affine_grid(matrices, list(source.shape), align_corners=True)
            made = torch.nn.functional.grid_sample(source, grid, align_corners=True).round_().to(torch.uint8)
            made.sum()
            count += len(rows)
        return count / (time.perf_counter() - begun)

    def loader(self) -> float:
        begun, count = time.perf_counter(), 0
        for images in DataLoader(Pictures(self.tensor), batch_size=BATCH, shuffle=True, num_workers=2):
            images.sum()
            count += len(images)
        return count / (time.perf_counter() - begun)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--shapes", nargs="+", default=["1x28x28", "3x32x32"], choices=["1x28x28", "3x32x32"])
    given = parser.parse_args()
    for shape in given.shapes:
        if shape == "1x28x28":
            data = mnist(given.mirror)
            images, labels = datasets.images(data.train), datasets.labels(data.train)
        else:
            rng = np.random.default_rng(0)
            images, labels = rng.integers(0, 256, (50_000, 3, 32, 32), np.uint8), rng.integers(0, 10, 50_000, np.uint8)
        contest = Contest(images, labels)
        print(f"\n{shape}: first batch {contest.first:.3f} s after the stream was there (bar 0.1)")
        found = take_turns(contest.contenders(), given.rounds)
        print(table(found, "images/s"))
        for pair, bar in BARS.items():
            one, other = pair.split(" / ")
            if other in found:
                print(f"{pair:<44}{ratio(found, one, other):>10.3g}   bar {bar}")


if __name__ == "__main__":
    main()
