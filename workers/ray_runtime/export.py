"""Ray actors that write the shards of an export."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from errors import DeadlineError, MillraceError
from pipeline.export import Done, ShardWriter
from workers.local_runtime import cores
from workers.ray_runtime.capacity import check_capacity
from workers.ray_runtime.cluster import MIB, Need, check_memory, connected

STORE = 1024 * MIB  # shared memory of an own Ray
SHARD = 1800.0  # seconds that one shard may take
LOOK = 0.5  # seconds between two looks at whether to stop


class ShardActor:
    """Writes shards; the dataset lies in the node's shared memory once."""

    def __init__(self, writer: list[Any]) -> None:
        self._writer: ShardWriter = ray.get(writer[0], timeout=300)

    def shard(self, index: int) -> Done:
        """Make sure that a shard is whole."""
        return self._writer.shard(index)


class RayExecutor:
    """See `pipeline.export.executor.Executor`. A killed actor is started again and does its shard anew."""

    def __init__(self, writer: ShardWriter, actors: int) -> None:
        self._writer, self._actors = writer, actors

    def run(self, indices: Sequence[int], stopped: Callable[[], bool]) -> Iterator[Done]:
        """Each index done, in the order in which they are."""
        # Inside of `ray job submit` the cluster is the job's; elsewhere Ray is the export's own, never a stranger's.
        address = os.environ.get("RAY_ADDRESS")
        with connected(address, Need(self._actors, STORE)) as own:
            if not own:
                check_capacity(self._actors)
            writer = ray.put(self._writer)
            check_memory(STORE // 4)
            kind: Any = ray.remote(ShardActor)
            options = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": 3, "scheduling_strategy": "SPREAD"}
            actors = [kind.options(**options).remote([writer]) for _ in range(min(self._actors, max(1, len(indices))))]
            try:
                yield from _dealt(actors, indices, stopped)
            finally:
                for actor in actors:
                    ray.kill(actor)


def _dealt(actors: list[Any], indices: Sequence[int], stopped: Callable[[], bool]) -> Iterator[Done]:
    """One shard at a time for each actor; after an error or a stop nothing new is begun."""
    left = iter(indices)
    running: dict[Any, Any] = {}
    idle, waited = list(actors), 0.0
    failed: BaseException | None = None
    while True:
        while idle and failed is None and not stopped():
            index = next(left, None)
            if index is None:
                break
            actor = idle.pop()
            running[actor.shard.remote(index)] = actor
        if not running:
            break
        done, _ = ray.wait(list(running), timeout=LOOK)
        waited = 0.0 if done else waited + LOOK
        if waited > SHARD:
            raise DeadlineError("no shard was finished", expected=f"one within {SHARD:g} s", got="none")
        for reference in done:
            idle.append(running.pop(reference))
            try:
                yield ray.get(reference, timeout=SHARD)
            except RayTaskError as error:
                failed = failed or (error.cause if isinstance(error.cause, MillraceError) else error)
            except RayError as error:
                failed = failed or error
    if failed is not None:
        raise failed


def executor(writer: ShardWriter, workers: int) -> RayExecutor:
    """The executor of `--runtime ray`. workers: the number of actors; 0: one per core of this machine."""
    return RayExecutor(writer, workers or cores())
