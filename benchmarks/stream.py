"""Streams of augmented minibatches of 256 on two cores; part `stream` of `make bench`.

Every turn is a process of its own (benchmarks/turn.py), which imports what it needs and then reads one way of
benchmarks/loaders.py:

  first batch  seconds from the call that makes the stream to its first batch; imports and starting Ray do not count
  steady       images per second over a few seconds after that
  CPU          seconds of processors for a million images, of the process and all that it started
  memory       MB that these hold at the end, shared pages counted once
  epoch        images per second over a whole epoch, from the call that makes the stream (Ray Data and ours)
"""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import processes
from benchmarks.loaders import OURS, RAY, TORCH, WAYS
from benchmarks.results import Row
from benchmarks.rounds import Effort, in_turns, mnist
from millrace import datasets

ROUNDS, SECONDS = 5, 3.0
FIRST = 0.2  # seconds to the first batch at most
LIMIT = 240.0  # of a turn, in seconds
QUICK = {OURS, "DataLoader, RandomAffine"}
STEADY: dict[str, float] = {"DataLoader, RandomAffine": 50, "DataLoader, grid_sample": 3, "Grain, OpenCV": 40, RAY: 1}
LOOP = {"DataLoader, RandomAffine": 20.0}
# measure → what, unit, whether less is better, what was promised
MEASURES: dict[str, tuple[str, str, bool, dict[str, float]]] = {
    "steady": ("steady", "images/s", False, STEADY),
    "first": ("first batch", "s", True, {}),
    "cpu": ("CPU of a million images", "s", True, {}),
    "memory": ("memory", "MB", True, {}),
    "epoch": ("a whole epoch", "images/s", False, {RAY: 5}),
}


def pictures(shape: str, effort: Effort) -> tuple[Any, Any]:
    """MNIST or noise of its shape; of colour noise alone."""
    if shape == "28×28":
        train = mnist(effort.mirror).train
        return datasets.images(train), datasets.labels(train)
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (50_000, 3, 32, 32), np.uint8), rng.integers(0, 10, 50_000, np.uint8)


def rows(effort: Effort) -> Iterator[Row]:
    """Each measure of each shape."""
    with tempfile.TemporaryDirectory() as folder:
        for shape in ("28×28",) if effort.quick else ("28×28", "3×32×32"):
            files = [Path(folder) / "images.npy", Path(folder) / "labels.npy"]
            for file, array in zip(files, pictures(shape, effort), strict=True):
                np.save(file, array)
            yield from _rows(shape, effort, [str(file) for file in files])


def _rows(shape: str, effort: Effort, files: list[str]) -> Iterator[Row]:
    seconds = str(0.1 if effort.quick else SECONDS)
    names = [name for name in WAYS if not effort.quick or name in QUICK]
    ways = {name: ["-m", "benchmarks.turn", name, *files, seconds] for name in names}
    contenders = {name: partial(processes.answer, way, LIMIT) for name, way in ways.items()}
    turns, missing = in_turns(contenders, effort.rounds(ROUNDS))
    if TORCH in turns:
        shown = {OURS: turns[TORCH], **{name: found for name, found in turns.items() if name.startswith("DataLoader")}}
        rates = {name: [one["steady"] for one in found] for name, found in shown.items()}
        yield Row(f"{shape}, to a PyTorch loop", "images/s", rates, at_least=LOOP)
    for key, (what, unit, less, bars) in MEASURES.items():
        values = {name: [one[key] for one in found] for name, found in turns.items() if key in found[0]}
        steady = key == "steady"
        most = FIRST if key == "first" else None
        yield Row(f"{shape}, {what}", unit, values, less, bars, most, missing if steady else {}, shown=steady)
