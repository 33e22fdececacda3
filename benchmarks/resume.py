"""Killed in mid-epoch: seconds from `kill -9` to the next new sample, samples repeated and lost; part `resume`.

The readers are benchmarks/resumable.py: 20,000 images of MNIST or of its shape, batches of 256 on two cores, augmented,
a checkpoint after every tenth batch. The program is killed three batches after one and started again at once: the
seconds count its start, its imports and Ray's. Repeated and lost are counted over the whole epoch, as the weights that
live on have seen it: up to the checkpoint, and after the new start.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import processes
from benchmarks.loaders import OURS
from benchmarks.results import Row
from benchmarks.resumable import READERS
from benchmarks.rounds import Bounds, Effort, in_turns
from benchmarks.stream import pictures

IMAGES, ROUNDS, LIMIT = 20_000, 3, 240.0
MEASURES = {
    "seconds": ("from kill -9 to the next new sample", "s"),
    "repeated": ("repeated", "samples"),
    "lost": ("lost", "samples"),
}


def interrupted(name: str, files: list[str]) -> dict[str, float]:
    """One reader, killed and started again."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "benchmarks.resumable", name, *files, folder]
        first = subprocess.run(
            [sys.executable, *command, "kill"], capture_output=True, text=True, timeout=LIMIT, check=False
        )
        told = json.loads(first.stdout.splitlines()[-1]) if first.stdout.strip() else {}
        if "missing" in told:
            raise ImportError(told["missing"])
        if "killed" not in told:
            raise OSError((first.stderr.strip().splitlines() or ["ended before it was killed"])[-1])
        found = processes.answer([*command, "whole"], LIMIT)
    return {"seconds": found["new"] - told["killed"], "repeated": found["repeated"], "lost": found["lost"]}


def rows(effort: Effort) -> Iterator[Row]:
    """A row for each measure."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("images.npy", "labels.npy")]
        for file, array in zip(files, pictures("28×28", effort), strict=True):
            np.save(file, array[:IMAGES])
        names = [OURS] if effort.quick else list(READERS)
        contenders = {name: partial(interrupted, name, files) for name in names}
        found, missing = in_turns(contenders, effort.rounds(ROUNDS), bounds=Bounds(330.0, cold=True))
    for key, (what, unit) in MEASURES.items():
        values = {name: [one[key] for one in turns] for name, turns in found.items()}
        seconds = key == "seconds"
        most, told = (None, missing) if seconds else (0.0, {})  # nothing repeated, nothing lost is what we promise
        yield Row(what, unit, values, less_is_better=True, at_most=most, missing=told, shown=seconds)
