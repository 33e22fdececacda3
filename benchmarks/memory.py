"""Resident memory over a hundred epochs of MNIST (6,000 of its training samples), after every epoch.

Usage: python -m benchmarks.memory [--mirror URL]
"""

import tempfile
import threading
from pathlib import Path

from benchmarks import processes
from benchmarks.rounds import arguments, mnist
from millrace.model import NetworkOptions, OptimizerOptions, ScheduleOptions
from millrace.pipeline.policy import preset
from millrace.runs.folder import RunFolder
from millrace.workers.events import EpochDone, Event
from millrace.workers.job import Job, Place
from millrace.workers.local_training import train
from millrace.workers.setup import Setup

JOB = Job(
    dataset="mnist",
    epochs=100,
    batch=512,
    seed=0,
    subset=7_000,
    validation=1_000,
    policy=preset("digits"),
    network=NetworkOptions(),
    optimizer=OptimizerOptions(),
    schedule=ScheduleOptions(),
)


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    held: list[float] = []

    def observer(event: Event) -> None:
        if isinstance(event, EpochDone):
            held.append(processes.held("VmRSS") / 2**20)
            if event.epoch + 1 in (1, 2, 5, 10, 20, 50, 100):
                print(f"after epoch {event.epoch + 1:>3}: {held[-1]:.1f} MiB", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run", "")
        run.own()
        place = Place(checkpoint_every=2.0)
        train(Setup(JOB, mnist(options.mirror)), place, run, observer, threading.Event())
        run.release()
    growth = 100 * (held[99] / held[4] - 1)
    print(f"from epoch 5 to epoch 100  {growth:+.2f} %   (bar: within 2 %)")


if __name__ == "__main__":
    main()
