"""Streams of augmented minibatches of 256 on two cores; part `stream` of `make bench`.

Every turn is a process of its own (benchmarks/turn.py), which imports what it needs and then reads one way of
benchmarks/ways.py:

  first batch  seconds from the call that makes the stream to its first batch; imports, starting Ray or a service, and
               putting the images into Ray's object store do not count
  steady       images per second over two seconds after that
  CPU          seconds of processors for a million images, of the process and all that it started
  memory       MB that these hold at the end, shared pages counted once
  epoch        images per second over a whole epoch, from the call that makes the stream (ours and Ray Data)

Ray Data is compared with our stream in the process, and in rows of their own with one that servers on a Ray make.
Most of a turn is the start of its process, 12 s of Grain's and 20 s of Ray's and tf.data's: those have part in the
first rounds alone, and in colour those that no promise speaks of have none.
"""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import processes
from benchmarks.loaders import ON_RAY, OURS, RAY, SERVED, TORCH
from benchmarks.results import Row
from benchmarks.rounds import Bounds, Effort, in_turns, mnist
from benchmarks.ways import WAYS
from millrace import datasets

ROUNDS, SECONDS = 5, 2.0
FIRST = 0.2  # seconds to the first batch at most
LIMIT = 120.0  # of a turn, in seconds
QUICK = {OURS, "DataLoader, RandomAffine"}
# Seconds that the turns of a shape may take, and in how many rounds the slow starters have part.
BOUNDS = {
    "28×28": Bounds(300.0, dict.fromkeys(("Grain, OpenCV", "Grain, OpenCV by batch", "tf.data", "JAX, dm_pix"), 2)),
    "3×32×32": Bounds(150.0, {"Grain, OpenCV": 1, "Grain, OpenCV by batch": 1}),
}
GREY_ALONE = ("tf.data", "JAX, dm_pix", "grid_sample, two threads")
# What was promised against Grain is asked of both its forms: by image as its documentation has it, and by batch.
STEADY: dict[str, float] = {
    "DataLoader, RandomAffine": 50,
    "DataLoader, grid_sample": 3,
    "Grain, OpenCV": 40,
    "Grain, OpenCV by batch": 40,
}
# measure → what, unit, whether less is better, what was promised; on Ray
MEASURES: dict[str, tuple[str, str, bool, dict[str, float]]] = {
    "steady": ("steady", "images/s", False, STEADY),
    "first": ("first batch", "s", True, {}),
    "cpu": ("CPU of a million images", "s", True, {}),
    "memory": ("memory", "MB", True, {}),
    "epoch": ("a whole epoch", "images/s", False, {}),
}
SERVERS = "servers of `millrace serve --runtime ray`, `millrace.connect`"
AS_ON_RAY = {"steady": 1.0, "first": None, "epoch": 5.0}


def pictures(shape: str, effort: Effort) -> tuple[Any, Any]:
    """MNIST or noise of its shape; of colour noise alone."""
    if shape == "28×28":
        train = mnist(effort.mirror).train
        return datasets.images(train), datasets.labels(train)
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (50_000, 3, 32, 32), np.uint8), rng.integers(0, 10, 50_000, np.uint8)


def kept(folder: str, images: Any, labels: Any) -> list[str]:
    """The files that turns read."""
    files = [Path(folder) / "images.npy", Path(folder) / "labels.npy"]
    for file, array in zip(files, (images, labels), strict=True):
        np.save(file, array)
    return [str(file) for file in files]


def rows(effort: Effort) -> Iterator[Row]:
    """Each measure of each shape."""
    for shape in ("28×28",) if effort.quick else ("28×28", "3×32×32"):
        with tempfile.TemporaryDirectory() as folder:
            yield from _rows(shape, effort, kept(folder, *pictures(shape, effort)))


def _rows(shape: str, effort: Effort, files: list[str]) -> Iterator[Row]:
    left_out = {SERVED, TORCH, *(GREY_ALONE if shape != "28×28" else ())}
    names = [name for name in WAYS if name not in left_out and (not effort.quick or name in QUICK)]
    bounds = BOUNDS[shape]
    rare = {**bounds.rare, **dict.fromkeys((RAY, ON_RAY), 2 if shape == "28×28" else 1)}
    if not effort.quick:
        processes.answer(["-m", "benchmarks.turn", OURS, *files, "0.1"], LIMIT)  # so that its kernels are compiled
    seconds = 0.1 if effort.quick else SECONDS
    bounds = Bounds(bounds.seconds, rare, cold=True)
    ways = {name: ["-m", "benchmarks.turn", name, *files, str(seconds)] for name in names}
    contenders = {name: partial(processes.answer, way, LIMIT) for name, way in ways.items()}
    found, missing = in_turns(contenders, effort.rounds(ROUNDS), bounds=bounds)
    noise = "noise" if shape != "28×28" else ""
    on_ray = found.pop(ON_RAY, [])
    told = {name: missing.pop(name) for name in (ON_RAY,) if name in missing}
    for key, (what, unit, less, bars) in MEASURES.items():
        values = {name: [one[key] for one in several] for name, several in found.items() if key in several[0]}
        most = FIRST if key == "first" else None
        steady = key == "steady"
        told_here = missing if steady else {}
        yield Row(f"{shape}, {what}", unit, values, less, bars, most, told_here, note=noise, shown=steady)
    if effort.quick:
        return
    for key, bar in AS_ON_RAY.items():
        what, unit, less, _ = MEASURES[key]
        both = {OURS: on_ray, RAY: found.get(RAY, [])}
        values = {name: [one[key] for one in several] for name, several in both.items() if several}
        bars = {RAY: bar} if bar and RAY in values else {}
        note = "; ".join(filter(None, (noise, SERVERS)))
        yield Row(f"{shape}, {what}, on Ray", unit, values, less, bars, missing=told, note=note, shown=key != "first")
