"""Exports against Ray Data and against the bare warp; memory and cost by the number of epochs.

    python -m benchmarks.export [--mirror URL] [--epochs 5] [--repeats 3]

Needs MNIST (in the cache or at the mirror) and the readers' environment (`make readers`). All rates are images per
second, each contender on as many cores as there are; contenders take turns, ratios are of medians.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from millrace import datasets
from millrace.cores import cores
from millrace.datasets import Dataset, images, labels
from millrace.formats import FORMATS
from millrace.pipeline import Stream, preset
from millrace.pipeline.export import ExportOptions, ExportPlan, ExportSession, ShardWriter, make_plan
from millrace.storage.folder import Folder
from millrace.workers.export_local import executor

ROOT = Path(__file__).resolve().parent.parent
PEER_PYTHON = ROOT / ".venv-readers" / "bin" / "python"


def planned(dataset: Dataset, name: str, epochs: int) -> ExportPlan:
    options = ExportOptions(preset("digits"), name, epochs=epochs)
    return make_plan(options, dataset, source="mnist", statistics=((0.13,), (0.31,)), millrace="benchmark")


def export(dataset: Dataset, name: str, epochs: int, out: Path) -> float:
    """Seconds that an export takes, from the empty folder to the manifest."""
    shutil.rmtree(out, ignore_errors=True)
    begun = time.perf_counter()
    plan, folder = planned(dataset, name, epochs), Folder(str(out))
    with ExportSession.open(plan, folder) as session:
        done_by = executor(ShardWriter(plan, dataset, folder), 0)
        done = {one.index: one.record for one in done_by.run(range(len(plan.shards)), lambda: False)}
        session.finish([done[index] for index in range(len(done))], [])
    seconds = time.perf_counter() - begun
    shutil.rmtree(out)
    return seconds


def bare_warp(dataset: Dataset, epochs: int) -> float:
    """Seconds to draw and warp the same rows, on the same threads, and drop them."""
    stream = Stream(images(dataset.train), labels(dataset.train), policy=preset("digits"), seed=0, batch=1)
    size, step = dataset.train.num_rows, 16384
    parts = [(epoch, first, min(first + step, size)) for epoch in range(epochs) for first in range(0, size, step)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(lambda part: len(stream.rows(*part).pixels), parts):
            pass
    return time.perf_counter() - begun


class Peer:
    """Ray Data in a process of its own."""

    def __init__(self, dataset: Dataset, folder: Path, epochs: int) -> None:
        np.save(folder / "images.npy", images(dataset.train)[:, 0])
        np.save(folder / "labels.npy", labels(dataset.train))
        script = Path(__file__).with_name("export_peer.py")
        arguments = ["images.npy", "labels.npy", str(folder / "peer"), str(epochs), str(cores())]
        self._process = subprocess.Popen(
            [str(PEER_PYTHON), "-P", str(script), *arguments],  # its own folder has a ray.py
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


def rates(contenders: dict[str, Callable[[], float]], rows: int, repeats: int) -> dict[str, float]:
    """The median rate of each contender; they take turns, so that a busy moment hits all."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            found[name].append(rows / run())
    for name, values in found.items():
        print(f"{name:<22} {statistics.median(values):>10,.0f} images/s  ({min(values):,.0f} to {max(values):,.0f})")
    return {name: statistics.median(values) for name, values in found.items()}


def memory(dataset: Dataset, folder: Path, name: str, epochs: int) -> None:
    """Print time and peak memory of one export; run in a process of its own."""
    seconds = export(dataset, name, epochs, folder / "memory")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<12} {epochs:>4} epochs {seconds:>8.2f} s {seconds / epochs:>8.3f} s/epoch {peak:>6.0f} MiB peak")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", nargs=2, metavar=("FORMAT", "EPOCHS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    dataset = datasets.load(datasets.find("mnist"), mirror=chosen.mirror)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.memory:
            memory(dataset, folder, chosen.memory[0], int(chosen.memory[1]))
            return
        epochs, rows = chosen.epochs, chosen.epochs * dataset.train.num_rows
        peer = Peer(dataset, folder, epochs)
        try:
            found = rates(
                {
                    "Ray Data, OpenCV": peer,
                    "export parquet": lambda: export(dataset, "parquet", epochs, folder / "out"),
                    "export arrow": lambda: export(dataset, "arrow", epochs, folder / "out"),
                    "bare warp": lambda: bare_warp(dataset, epochs),
                },
                rows,
                chosen.repeats,
            )
        finally:
            peer.close()
        print(f"parquet / Ray Data     {found['export parquet'] / found['Ray Data, OpenCV']:>10.2f}  (at least 4)")
        print(f"arrow / bare warp      {found['export arrow'] / found['bare warp']:>10.2f}  (at least 0.7)")
        others = [name for name in FORMATS if name not in ("parquet", "arrow", "imagefolder")]
        rates({f"export {n}": lambda n=n: export(dataset, n, 1, folder / "out") for n in others}, rows // epochs, 1)  # type: ignore[misc]
    for count in (2, 8, 32):
        arguments = ["--memory", "parquet", str(count), *(["--mirror", chosen.mirror] if chosen.mirror else [])]
        subprocess.run([sys.executable, "-m", "benchmarks.export", *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
