"""Exports of MNIST (or noise of its shape) on all cores, from the empty folder to the manifest; part `export`.

  millrace        `ExportSession` with the threads that `millrace export` has
  bare warp       draws and warp of the same rows on as many threads, dropped
  others          benchmarks/export_peer.py, each in a process of its own that works when it is asked to

Every other format for one epoch, and the most memory of a process that exports 2, 8 and 32 epochs.
"""

import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import processes
from benchmarks.loaders import OURS
from benchmarks.results import Row
from benchmarks.rounds import Bounds, Effort, in_turns, mnist
from millrace.cores import cores
from millrace.datasets import Dataset, images, labels
from millrace.formats import FORMATS
from millrace.pipeline import Stream, preset
from millrace.pipeline.export import ExportOptions, ExportPlan, ExportSession, ShardWriter, make_plan
from millrace.storage.folder import Folder
from millrace.workers.export_local import executor

PEERS = {"Ray Data, OpenCV": "ray", "Hugging Face, OpenCV": "huggingface"}
AT_LEAST: dict[str, dict[str, float]] = {"parquet": {"Ray Data, OpenCV": 6}, "arrow": {"bare warp": 0.7}}
ROUNDS, EPOCHS, MEMORY_EPOCHS = 3, 3, (2, 8, 32)
SECONDS = 180.0  # that the turns against others may take
TURN, LIMIT = 120.0, 600.0  # of a peer's turn and of a process for memory, in seconds


def planned(dataset: Dataset, name: str, epochs: int) -> ExportPlan:
    """What is to be written."""
    options = ExportOptions(preset("digits"), name, epochs=epochs)
    return make_plan(options, dataset, source="mnist", statistics=((0.13,), (0.31,)), millrace="benchmark")


def export(dataset: Dataset, name: str, epochs: int, out: Path) -> float:
    """Images per second."""
    shutil.rmtree(out, ignore_errors=True)
    begun = time.perf_counter()
    plan, folder = planned(dataset, name, epochs), Folder(str(out))
    with ExportSession.open(plan, folder) as session:
        done_by = executor(ShardWriter(plan, dataset, folder), 0)
        done = {one.index: one.record for one in done_by.run(range(len(plan.shards)), lambda: False)}
        session.finish([done[index] for index in range(len(done))], [])
    taken = time.perf_counter() - begun
    shutil.rmtree(out)
    return epochs * len(labels(dataset.train)) / taken


def bare_warp(dataset: Dataset, epochs: int) -> float:
    """Images per second that are drawn and warped on the same threads, and dropped."""
    stream = Stream(images(dataset.train), labels(dataset.train), policy=preset("digits"), seed=0, batch=1)
    size, step = dataset.train.num_rows, 16384
    parts = [(epoch, first, min(first + step, size)) for epoch in range(epochs) for first in range(0, size, step)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        done = sum(pool.map(lambda part: len(stream.rows(*part).pixels), parts))
    return done / (time.perf_counter() - begun)


def peer(kind: str, dataset: Dataset, folder: Path, epochs: int) -> processes.Asked:
    """Another library; it answers with images per second."""
    np.save(folder / "images.npy", images(dataset.train)[:, 0])
    np.save(folder / "labels.npy", labels(dataset.train))
    script = str(Path(__file__).with_name("export_peer.py"))
    words = [kind, "images.npy", "labels.npy", str(folder / kind), str(epochs), str(cores())]
    # Our folders `datasets` and `ray.py` must not be found by it.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return processes.Asked(["-P", script, *words], TURN, folder, variables)


def rows(effort: Effort) -> Iterator[Row]:
    """Parquet and Arrow against others, then what is ours alone."""
    dataset, epochs = mnist(effort.mirror), EPOCHS
    if effort.quick:
        dataset, epochs = dataclasses.replace(dataset, train=dataset.train.slice(0, 2000)), 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = {kind: partial(export, dataset, kind, epochs, folder / "out") for kind in ("parquet", "arrow")}
        contenders: dict[str, Callable[[], float]] = {**ours, "bare warp": lambda: bare_warp(dataset, epochs)}
        kinds = {} if effort.quick else PEERS
        bounds = Bounds(SECONDS, always=list(contenders))
        peers = {name: partial(peer, kind, dataset, folder, epochs) for name, kind in kinds.items()}
        found, missing = in_turns(contenders, effort.rounds(ROUNDS), peers, bounds)
        for kind in ours:
            others = {one: found[one] for one in found if one not in ours and (kind == "arrow") == (one == "bare warp")}
            values = {OURS: found[kind], **others}
            told = missing if kind == "parquet" else {}
            yield Row(f"{epochs} epochs to {kind}", "images/s", values, at_least=AT_LEAST[kind], missing=told)
        for kind in (one for one in FORMATS if one not in ours):
            speeds = [export(dataset, kind, 1, folder / "out") for _ in range(effort.rounds(ROUNDS))]
            yield Row(f"an epoch to {kind}", "images/s", {OURS: speeds})
    for count in () if effort.quick else MEMORY_EPOCHS:
        command = ["-m", "benchmarks.export", str(count), *([effort.mirror] if effort.mirror else [])]
        most = [processes.answer(command, LIMIT)["peak"] for _ in range(ROUNDS)]
        yield Row(f"memory of {count} epochs to parquet", "MiB", {OURS: most}, less_is_better=True)


def main() -> None:
    """The most memory of this process while it exports: `python -m benchmarks.export EPOCHS [MIRROR]`."""
    dataset = mnist(sys.argv[2] if len(sys.argv) > 2 else None)
    with tempfile.TemporaryDirectory() as folder:
        export(dataset, "parquet", int(sys.argv[1]), Path(folder) / "out")
    print(json.dumps({"peak": processes.held("VmHWM") / 2**20}))


if __name__ == "__main__":
    main()
