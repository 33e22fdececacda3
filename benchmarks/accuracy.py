"""Seconds from the command to a network that has 99.2 % of MNIST's test set right; part `accuracy` of `make bench`.

The recipe: 784-999-299-10, Adam at 0.001, cosine to a hundredth, batches of 256, moved about as `digits` does (shifts,
turns, scales, shears), 40 epochs, all training data. The test set is read once, at the end.

  millrace   `millrace train`, each round another seed: the whole command, from Python's start to the test accuracy
  PyTorch    the same network and recipe, DataLoader with torchvision's RandomAffine in two processes
             (benchmarks/accuracy_peer.py): its start and the second of two epochs are measured, the rest is
             extrapolated, start + 40 × epoch. That it is as accurate after as many epochs is taken for granted, in its
             favour
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import processes
from benchmarks.loaders import OURS
from benchmarks.results import Row
from benchmarks.rounds import Bounds, Effort, has_mnist, in_turns
from benchmarks.stream import kept, pictures

PEER = "PyTorch, DataLoader, RandomAffine"
EPOCHS, BATCH, ROUNDS, GOAL = 40, 256, 3, 0.992
LIMIT = 900.0  # of a run, in seconds
NO_MNIST = "MNIST is not here: give --mirror or MILLRACE_TEST_MIRROR"


def trained(dataset: list[str], epochs: int, seeds: Iterator[int]) -> dict[str, float]:
    """A whole run: its seconds and its test accuracy."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "millrace", "train", *dataset, "--epochs", str(epochs)]
        command += ["--batch", str(BATCH), "--seed", str(next(seeds)), "--out", f"{folder}/run", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    seconds = time.monotonic() - begun
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or ["training failed"])[-1])
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {
        "seconds": seconds,
        "accuracy": next(one["test_accuracy"] for one in reversed(told) if "test_accuracy" in one),
    }


def peer(files: list[str], epochs: int) -> dict[str, float]:
    """The peer's seconds, extrapolated."""
    begun = time.monotonic()
    found = processes.answer(["-m", "benchmarks.accuracy_peer", *files], LIMIT)
    return {"seconds": found["began"] - begun + epochs * found["epoch"]}


def rows(effort: Effort) -> Iterator[Row]:
    """Seconds, and how accurate ours was; in the quick form two epochs of the digits."""
    if effort.quick:
        once = trained(["--dataset", "digits"], 2, iter([0]))
        yield Row("two epochs of the digits", "s", {OURS: [once["seconds"]]}, less_is_better=True)
        return
    goal = f"{100 * GOAL:g} % on MNIST"
    if not has_mnist(effort.mirror):
        yield Row(goal, "s", {}, less_is_better=True, missing={OURS: NO_MNIST, PEER: NO_MNIST})
        return
    with tempfile.TemporaryDirectory() as folder:
        files = kept(folder, *pictures("28×28", effort))
        dataset = ["--dataset", "mnist", *(["--mirror", effort.mirror] if effort.mirror else [])]
        contenders = {OURS: partial(trained, dataset, EPOCHS, iter(range(ROUNDS))), PEER: partial(peer, files, EPOCHS)}
        found, missing = in_turns(contenders, ROUNDS, bounds=Bounds(600.0, cold=True))
    reached = [one["accuracy"] for one in found[OURS]]
    note = f"{EPOCHS} epochs, {sum(one >= GOAL for one in reached)} of {len(reached)} seeds reached it"
    note += "; PyTorch's extrapolated from its start and one epoch"
    seconds = {name: [one["seconds"] for one in turns] for name, turns in found.items()}
    bars = {PEER: 5.0} if PEER in found else {}
    yield Row(goal, "s", seconds, less_is_better=True, at_least=bars, missing=missing, note=note)
    yield Row("test accuracy", "%", {OURS: [100 * one for one in reached]}, shown=False)
