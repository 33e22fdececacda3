"""One of benchmarks/ways.py, measured: `python -m benchmarks.turn NAME IMAGES.npy LABELS.npy SECONDS [sum]`.

Prints one line of JSON. With `sum` each batch's pixels are added up. Nothing is imported here that a way does not need,
since processes that it starts import this file again.
"""

import json
import logging
import os
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks import processes
from benchmarks.loaders import CORES, ON_RAY, OURS, RAY, SERVED, ray_table
from benchmarks.ways import ADDRESS, WAYS

SERVES = {SERVED: ["--threads", str(CORES)], ON_RAY: ["--runtime", "ray", "--threads", str(CORES)]}
WARM = 0.3  # of the seconds, before they count


def measure(name: str, pictures: str, marks: str, seconds: float, summed: bool) -> dict[str, float | str]:
    """first: seconds to the first batch; steady: images per second; cpu: seconds of processors for a million images;
    memory: MB; epoch: images per second over a whole epoch, of Ray Data and ours. Starting Ray or a service does not
    count, nor does what puts the images there, though their seconds of processors and their memory do."""
    _, needs = WAYS[name]
    images, labels = np.load(pictures), np.load(marks)
    try:
        for needed in needs:
            import_module(needed)
    except ImportError as error:
        return {"missing": str(error)}
    if name == RAY:
        start_ray()
        ray_table(images, labels)
    if name in SERVES:
        with import_module("benchmarks.served").serving(pictures, *SERVES[name]) as os.environ[ADDRESS]:
            return _measured(name, images, labels, seconds, summed)
    return _measured(name, images, labels, seconds, summed)


def _measured(name: str, images: Any, labels: Any, seconds: float, summed: bool) -> dict[str, float | str]:
    way, _ = WAYS[name]
    begun = time.perf_counter()
    batches = way(images, labels)
    next(batches)
    first = time.perf_counter() - begun
    while time.perf_counter() - begun - first < WARM * seconds:
        next(batches)
    count, used, begun = 0, processes.cpu_seconds(os.getpid()), time.perf_counter()
    while (taken := time.perf_counter() - begun) < seconds:
        read = next(batches)[0]
        if summed:
            read.sum()
        count += len(read)
    used = processes.cpu_seconds(os.getpid()) - used
    found: dict[str, float | str] = {
        "first": first,
        "steady": count / taken,
        "cpu": used / count * 1e6,
        "memory": processes.memory(os.getpid()),
    }
    if name in (OURS, ON_RAY, RAY):
        batches.close()
        count, begun = 0, time.perf_counter()
        for some, _ in way(images, labels):
            count += len(some)
            if count >= len(images):
                break
        found["epoch"] = count / (time.perf_counter() - begun)
    return found


def start_ray() -> None:
    """A Ray of this process alone, on two cores, that prints nothing."""
    ray = import_module("ray")
    ray.init(address="local", num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    logging.getLogger("ray.data").setLevel("ERROR")
    import_module("ray.data").DataContext.get_current().enable_progress_bars = False


if __name__ == "__main__":
    name, pictures, marks, seconds, *words = sys.argv[1:]
    print(json.dumps(measure(name, pictures, marks, float(seconds), bool(words))), flush=True)
    if name == RAY:
        import_module("ray").shutdown()
    for process in processes.below(os.getpid()):  # some ways take seconds to say goodbye
        os.kill(process, 9)
    os._exit(0)
