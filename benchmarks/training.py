"""A training step without augmentation, against the bare matrix products and other libraries; part `training`.

The digits' network 784-999-299-10, Adam, MNIST or noise of its shape, two threads. Samples per second of whole epochs;
a batch whose default slots are smaller than a thread's half stands twice. The batches share the part's time: each has
at least a round of ours and the bare products, and as many rounds of all as its share has room for.

  millrace         all of `millrace train` from step 0: order, rows, forward, backward, Adam, ledger, metrics
  bare products    forward, dW, and dX but for the first layer: two threads, half the batch each, no synchronisation
  others           benchmarks/training_peer.py, each in a process of its own that works when it is asked to
"""

import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import processes
from benchmarks.loaders import OURS
from benchmarks.results import Row
from benchmarks.rounds import Bounds, Effort, in_turns, mnist
from millrace.datasets import Dataset, images, labels
from millrace.model import NetworkOptions, OptimizerOptions, ScheduleOptions
from millrace.pipeline.policy import preset
from millrace.runs.folder import RunFolder
from millrace.workers.blas import one_blas_thread
from millrace.workers.job import Job, Place
from millrace.workers.local_training import train
from millrace.workers.setup import Setup

WIDTHS, THREADS, ROUNDS = (784, 999, 299, 10), 2, 5
SECONDS, TURN = 480.0, 60.0  # of the part, and of a peer's turn, with which the part may end later
PEERS = {"PyTorch": "eager", "PyTorch, compiled": "compiled", "scikit-learn": "scikit-learn"}
PRODUCTS = "bare products"
AT_LEAST: dict[int, dict[str, float]] = {
    64: {"scikit-learn": 2},
    256: {"PyTorch": 1.0, "PyTorch, compiled": 1.0, "scikit-learn": 2},
    1024: {"PyTorch": 1.05, "PyTorch, compiled": 1.05, "scikit-learn": 2, PRODUCTS: 0.9},
}
DEFAULT_SLOT = 128


class Millrace:
    """Whole runs from step 0, each in a folder of its own."""

    def __init__(self, dataset: Dataset, batch: int, slot_size: int | None, samples: int | None) -> None:
        self._dataset = dataset
        self._job = Job(
            dataset="mnist",
            epochs=1,
            batch=batch,
            slot_size=slot_size,
            seed=0,
            subset=samples,
            policy=preset("none"),
            network=NetworkOptions(hidden=WIDTHS[1:-1]),
            optimizer=OptimizerOptions(name="adam"),
            schedule=ScheduleOptions(),
        )

    def __call__(self) -> float:
        """Samples per second."""
        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder.create(Path(folder) / "run", "")
            run.own()
            setup = Setup(self._job, self._dataset)
            done = train(setup, Place(workers=THREADS), run, lambda event: None, threading.Event())
            run.release()
        return (self._job.subset or len(labels(self._dataset.train))) / done.seconds


class Products:
    """The matrix products of the same number of steps, and nothing else."""

    def __init__(self, steps: int, batch: int) -> None:
        self._steps, self._batch = steps, batch
        rng = np.random.default_rng(0)
        self._weights = [self._random(rng, m, k) for m, k in itertools.pairwise(WIDTHS)]
        rows = batch // THREADS
        self._arrays = [[self._random(rng, rows, width) for width in WIDTHS] for _ in range(THREADS)]

    @staticmethod
    def _random(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
        return rng.standard_normal((rows, columns)).astype(np.float32)

    def __call__(self) -> float:
        """Samples per second."""
        threads = [threading.Thread(target=self._work, args=(arrays,)) for arrays in self._arrays]
        with one_blas_thread():
            begun = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return self._steps * self._batch / (time.perf_counter() - begun)

    def _work(self, values: list[np.ndarray]) -> None:
        outputs, deltas = [np.empty_like(v) for v in values], [np.empty_like(v) for v in values]
        gradients = [np.empty_like(w) for w in self._weights]
        for _ in range(self._steps):
            for layer, weight in enumerate(self._weights):
                np.matmul(values[layer], weight, out=outputs[layer + 1])
            for layer in reversed(range(len(self._weights))):
                np.matmul(values[layer].T, values[layer + 1], out=gradients[layer])
                if layer:
                    np.matmul(values[layer + 1], self._weights[layer].T, out=deltas[layer])


def peer(kind: str, folder: Path, batch: int) -> processes.Asked:
    """Another library; it answers with samples per second."""
    words = [kind, str(folder), "1", *map(str, (batch, THREADS, *WIDTHS))]
    return processes.Asked(["-m", "benchmarks.training_peer", *words], TURN)


def rows(effort: Effort) -> Iterator[Row]:
    """A row for each batch and size of slots."""
    begun, dataset = time.monotonic(), mnist(effort.mirror)
    samples = 2048 if effort.quick else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = images(dataset.train)[:samples].reshape(-1, WIDTHS[0]).astype(np.float32) / 255
        np.save(folder / "x.npy", (pixels - pixels.mean()) / pixels.std())
        np.save(folder / "y.npy", labels(dataset.train)[:samples])
        batches = (1024,) if effort.quick else (64, 256, 1024)
        for number, batch in enumerate(batches):
            share = max(begun + SECONDS - time.monotonic(), 0) / (len(batches) - number)
            yield from _rows(dataset, samples, batch, folder, effort.rounds(ROUNDS), share)


def _rows(
    dataset: Dataset, samples: int | None, batch: int, folder: Path, rounds: int, seconds: float
) -> Iterator[Row]:
    half = batch // THREADS
    default = Millrace(dataset, batch, None, samples)
    contenders: dict[str, Callable[[], float]] = {f"slots of {min(DEFAULT_SLOT, half)}": default}
    if half > DEFAULT_SLOT:
        contenders[f"slots of {half}"] = Millrace(dataset, batch, half, samples)
    ours = list(contenders)
    contenders[PRODUCTS] = Products((samples or dataset.train.num_rows) // batch, batch)
    peers = {name: partial(peer, kind, folder, batch) for name, kind in PEERS.items()}
    for one in ours:
        Millrace(dataset, batch, None if one == ours[0] else half, 2 * batch)()  # its kernels are compiled
    bounds = Bounds(seconds, cold=True, always=list(contenders))
    found, missing = in_turns(contenders, rounds, peers, bounds)
    for slots in ours:
        values = {OURS: found[slots], **{name: found[name] for name in found if name not in ours}}
        yield Row(f"batch {batch}, {slots}", "samples/s", values, at_least=AT_LEAST[batch], missing=missing)
