"""A series of runs on Ray: each is a task on one CPU that trains as local mode does, so it ends in the same bits."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import ray
from ray.exceptions import RayError, RayTaskError

from millrace.cores import cores
from millrace.errors import TrainingError
from millrace.workers.ray_runtime.capacity import check_capacity
from millrace.workers.ray_runtime.causes import cause_of, why
from millrace.workers.ray_runtime.cluster import MIB, Need, connected
from millrace.workers.series import Trial, carry_out, dataset_of

POLL = 0.5  # seconds between two looks at whether to stop
MEMORY = 256 * MIB


def in_parallel(trials: Sequence[Trial], stop: threading.Event, address: str | None, cpus: int) -> Iterator[Trial]:
    """The trials, each as it is finished, `cpus` at a time on an own Ray (0: one per core), as many as CPUs are on
    a cluster, whose nodes must all see the trials' folders. Ends early where `stop` is set: what runs is given up and
    goes on from its newest checkpoint when it is asked for again."""
    with connected(address, Need(cpus or cores(), MEMORY)) as own:
        if not own:
            check_capacity(1)
        train = ray.remote(_train).options(num_cpus=1, max_retries=3)
        left = {train.remote(_alone(trial)): trial for trial in trials}
        try:
            while left and not stop.is_set():
                done, _ = ray.wait(list(left), timeout=POLL)
                for reference in done:
                    _raise_cause(reference, left[reference])
                    yield left.pop(reference)
        finally:
            for reference in left:
                ray.cancel(reference, force=True)


def _alone(trial: Trial) -> Trial:
    """The trial on one thread of a process of its own."""
    return replace(trial, place=replace(trial.place, runtime="local", address=None, servers=1, workers=1, augmenters=0))


def _train(trial: Trial) -> None:
    carry_out(trial, dataset_of(trial), threading.Event())


def _raise_cause(reference: "ray.ObjectRef[None]", trial: Trial) -> None:
    try:
        ray.get(reference, timeout=60)
    except RayTaskError as error:
        raise cause_of(error) from error
    except RayError as error:
        raise TrainingError(f"{trial.name} was lost on Ray", got=why(error)) from error
