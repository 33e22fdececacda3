"""Resident memory over a long run: `python -m benchmarks.memory`. After epoch 5 and after epoch 100; bar: within 2 %.

The digits, local mode. `tests/workers/test_memory.py` holds the same bar.
"""

import os
import tempfile
import threading
from pathlib import Path

import datasets
from model import NetworkOptions, OptimizerOptions, ScheduleOptions
from pipeline.policy import preset
from workers.events import EpochDone, Event
from workers.job import Job, Place
from workers.local_training import train
from workers.run_folder import RunFolder

EPOCHS = (5, 100)


def resident() -> int:
    """This process's resident bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Train and print."""
    seen: dict[int, int] = {}

    def observer(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch + 1 in EPOCHS:
            seen[event.epoch + 1] = resident()

    job = Job(
        dataset="digits",
        epochs=EPOCHS[1],
        batch=128,
        seed=0,
        policy=preset("digits"),
        network=NetworkOptions(),
        optimizer=OptimizerOptions(),
        schedule=ScheduleOptions(),
    )
    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder.create(Path(path) / "run", "")
        folder.own()
        train(job, Place(), datasets.load(datasets.find("digits")), folder, observer, threading.Event())
        folder.release()
    early, late = (seen[epoch] for epoch in EPOCHS)
    print(f"resident after epoch {EPOCHS[0]}: {early / 2**20:.1f} MiB, after epoch {EPOCHS[1]}: {late / 2**20:.1f} MiB")
    print(f"growth: {late / early - 1:+.2%}, bar: within 2 %")


if __name__ == "__main__":
    main()
