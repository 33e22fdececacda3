"""Memory of a run on Ray at step 200 and at step 2,000: driver, each actor, object store.

    python -m benchmarks.ray_memory [--batch 256] [--mirror URL]

MNIST, 784-999-299-10, Adam, augmentation on, two workers and one augmenter, a checkpoint every second. Of each process
its own memory (anonymous pages) and the shared pages that it has touched, in MB: arenas of gradients and weights, and
the object store, whose pages stay with a process that has read them until it has seen all of the store (Linux).
"""

import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import ray

from benchmarks.processes import below, held, read
from benchmarks.rounds import arguments
from millrace.model import NetworkOptions, OptimizerOptions, ScheduleOptions
from millrace.pipeline.policy import preset
from millrace.runs.folder import RunFolder
from millrace.workers.events import Event, RunDone, StepDone
from millrace.workers.job import Job, Place
from millrace.workers.ray_runtime.session import session

FIRST, LAST, SAMPLES = 200, 2_000, 60_000
Memory = Mapping[str, tuple[float, float]]  # name → MB of its own, MB shared
KINDS = ("ServerActor", "WorkerActor", "AugmenterActor", "FetcherActor")


def memory() -> Memory:
    """This process, the actors below it, and the object store."""
    found = {"driver": _of("self")}
    for process in below(os.getpid()):
        command = read(f"/proc/{process}/cmdline")
        for kind in (kind for kind in KINDS if command.startswith(f"ray::{kind}")):
            found[f"{kind} {process}"] = _of(str(process))
    resources = [dict(which) for which in (ray.cluster_resources(), ray.available_resources())]  # type: ignore[no-untyped-call]
    total, free = (one.get("object_store_memory", 0.0) for one in resources)
    return found | {"object store, in use": (0.0, (total - free) / 1e6)}


def _of(process: str) -> tuple[float, float]:
    return held("RssAnon", process) / 1e6, held("RssShmem", process) / 1e6


def run(batch: int, mirror: str | None) -> tuple[Memory, Memory, float]:
    """Memory at both steps, and the MB copied per step."""
    job = Job(
        dataset="mnist",
        epochs=-(-(LAST + 1) * batch // SAMPLES),
        batch=batch,
        seed=0,
        policy=preset("digits"),
        network=NetworkOptions(),
        optimizer=OptimizerOptions(),
        schedule=ScheduleOptions(),
    )
    seen: dict[int, Memory] = {}
    copied: list[float] = []

    def observer(event: Event) -> None:
        if isinstance(event, StepDone) and event.step in (FIRST, LAST):
            seen[event.step] = memory()
        if isinstance(event, RunDone):
            copied.append(event.copied_per_step / 1e6)

    place = Place(runtime="ray", workers=2, augmenters=1, mirror=mirror, checkpoint_every=1.0)
    with tempfile.TemporaryDirectory() as folder, session(job, place) as actors:
        where = RunFolder.create(Path(folder) / "run", "")
        where.own()
        actors.train(where, observer, threading.Event())
        where.release()
    return seen[FIRST], seen[LAST], copied[0]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args()
    first, last, copied = run(options.batch, options.mirror)
    print(f"{'MB, own + shared':<28}{f'step {FIRST}':>20}{f'step {LAST:,}':>20}")
    for name, (own, shared) in last.items():
        before = "{:.1f} + {:.1f}".format(*first[name]) if name in first else "not there"
        print(f"{name:<28}{before:>20}{f'{own:.1f} + {shared:.1f}':>20}")
    print(f"copied per step: {copied:.2f} MB")


if __name__ == "__main__":
    main()
