"""Training end to end against the bare matrix products of the same steps, and against PyTorch.

    python -m benchmarks.training [--rounds 7] [--epochs 1] [--mirror URL]

MNIST, 784-999-299-10, Adam, batches of 512, two threads with one BLAS thread each. Contenders take turns in one run:

  millrace         all of `millrace train` from step 0: order, draws, warp, forward, backward, Adam, ledger, metrics;
                   in slots of 256, one for each thread, and in the default slots of 128
  matrix products  forward, dW, and dX but for the first layer: two threads, half the batch each, no synchronisation
  pytorch          two threads, fused Adam, no augmentation, normalised float32 data in memory; run by the Python that
                   MILLRACE_TORCH_PYTHON names, left out where it names none
"""

import itertools
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.rounds import arguments, mnist, ratio, table, take_turns
from millrace.datasets import Dataset, images, labels
from millrace.model import NetworkOptions, OptimizerOptions, ScheduleOptions
from millrace.pipeline.policy import preset
from millrace.runs.folder import RunFolder
from millrace.workers.blas import one_blas_thread
from millrace.workers.events import EpochDone, Event
from millrace.workers.job import Job, Place
from millrace.workers.local_training import train
from millrace.workers.setup import Setup

BATCH, WIDTHS, THREADS = 512, (784, 999, 299, 10), 2
HALVES, PRODUCTS = "millrace, slots of 256", "matrix products"
PEER = Path(__file__).with_name("torch_peer.py")


class Millrace:
    """Whole runs from step 0, each in a folder of its own."""

    def __init__(self, dataset: Dataset, epochs: int, slot_size: int) -> None:
        self._dataset, self.waiting = dataset, list[float]()
        self._job = Job(
            dataset="mnist",
            epochs=epochs,
            batch=BATCH,
            slot_size=slot_size,
            seed=0,
            policy=preset("digits"),
            network=NetworkOptions(hidden=WIDTHS[1:-1]),
            optimizer=OptimizerOptions(name="adam"),
            schedule=ScheduleOptions(),
        )

    def __call__(self) -> float:
        """Samples per second."""
        epochs: list[EpochDone] = []

        def observer(event: Event) -> None:
            if isinstance(event, EpochDone):
                epochs.append(event)

        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder.create(Path(folder) / "run", "")
            run.own()
            done = train(Setup(self._job, self._dataset), Place(workers=THREADS), run, observer, threading.Event())
            run.release()
        self.waiting.append(sum(e.waiting * e.seconds for e in epochs) / done.seconds)
        return self._job.epochs * len(labels(self._dataset.train)) / done.seconds


class Products:
    """The matrix products of the same number of steps, and nothing else."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        rng = np.random.default_rng(0)
        self._weights = [self._random(rng, m, k) for m, k in itertools.pairwise(WIDTHS)]
        rows = BATCH // THREADS
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
        return self._steps * BATCH / (time.perf_counter() - begun)

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


class Torch:
    """The same network in PyTorch, in a process of its own that works when it is asked to."""

    def __init__(self, python: str, dataset: Dataset, epochs: int, folder: Path) -> None:
        pixels = images(dataset.train).reshape(-1, WIDTHS[0]).astype(np.float32) / 255
        np.save(folder / "x.npy", (pixels - pixels.mean()) / pixels.std())
        np.save(folder / "y.npy", labels(dataset.train))
        command = [python, str(PEER), str(folder), str(epochs), str(BATCH), str(THREADS), *map(str, WIDTHS)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._ask("version")

    def __call__(self) -> float:
        """Samples per second."""
        return float(self._ask("go"))

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _ask(self, what: str) -> str:
        if self._process.stdin is None or self._process.stdout is None:
            raise OSError("the peer has no pipes")
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    dataset = mnist(options.mirror)
    halves, quarters = (Millrace(dataset, options.epochs, size) for size in (BATCH // 2, BATCH // 4))
    steps = options.epochs * -(-len(labels(dataset.train)) // BATCH)
    contenders: dict[str, Callable[[], float]] = {
        HALVES: halves,
        "millrace, slots of 128": quarters,
        PRODUCTS: Products(steps),
    }
    python = os.environ.get("MILLRACE_TORCH_PYTHON")
    with tempfile.TemporaryDirectory() as folder:
        peer = Torch(python, dataset, options.epochs, Path(folder)) if python else None
        if peer:
            contenders["pytorch"] = peer
        found = take_turns(contenders, options.rounds)
        if peer:
            peer.close()
    print(table(found, "samples/s"))
    print(f"slots of 256 to the matrix products  {ratio(found, HALVES, PRODUCTS):.3f}   (bar: at least 0.85)")
    if peer:
        print(
            f"slots of 256 to PyTorch {peer.version:<12} {ratio(found, HALVES, 'pytorch'):.3f}   (bar: at least 1.00)"
        )
    print(f"waiting for data                     {100 * statistics.median(halves.waiting):.2f} %  (bar: at most 1 %)")


if __name__ == "__main__":
    main()
