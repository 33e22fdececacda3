"""The actors of a run: made, placed, found again and ended."""

import itertools
import time
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from errors import DeadlineError, MillraceError
from workers.job import Job
from workers.ray_runtime.augmenter import AugmenterActor, FetcherActor
from workers.ray_runtime.cluster import alive_nodes, check_memory
from workers.ray_runtime.server import ServerActor
from workers.ray_runtime.worker import WorkerActor

START = 120.0  # seconds for an actor to be there
FETCH = 3600.0  # seconds for the download
FOREVER = -1


class Actors:
    """One server, a fetcher, augmenters and workers. `bound`: bytes in flight for each worker."""

    def __init__(self, job: Job, *, mirror: str | None, offline: bool, bound: int, mixed: bool) -> None:
        self._job, self._bound = job, bound
        self._names = itertools.count()
        self._workers: dict[str, tuple[Any, Any, str]] = {}  # name → actor, its `run`, node
        self._augmenters: list[tuple[Any, str]] = []
        self.server: Any = None
        self.server_node = ""
        fetcher: Any = ray.remote(FetcherActor)
        self._fetcher = fetcher.options(num_cpus=0, max_restarts=FOREVER, max_task_retries=FOREVER).remote()
        self._data = self._fetcher.fetch.remote(job.dataset, mirror, offline)
        self._mixed = mixed

    def begin(self, augmenters: int | None) -> None:
        """Wait for the data and start augmenters; None: one augmenter per node."""
        done, _ = ray.wait([self._data], timeout=FETCH)
        if not done:
            raise DeadlineError(f"dataset {self._job.dataset} was not fetched", expected=f"within {FETCH:g} s")
        try:
            dataset = ray.get(self._data, timeout=START)
        except RayTaskError as error:
            raise (error.cause if isinstance(error.cause, MillraceError) else error) from error
        check_memory(dataset.train.nbytes + dataset.test.nbytes + self._bound)
        nodes = alive_nodes()
        places = nodes if augmenters is None else [nodes[k % len(nodes)] for k in range(augmenters)]
        for node in places:
            self._add_augmenter(node)

    def begin_server(self) -> None:
        """Start the parameter server; Ray restarts it where it dies."""
        server = ray.remote(ServerActor).options(num_cpus=1, max_restarts=FOREVER, max_concurrency=1000)
        self.server = server.remote(self._job, [self._data], self._mixed)

    @property
    def augmenter_count(self) -> int:
        return len(self._augmenters)

    @property
    def worker_count(self) -> int:
        return len(self._workers)

    def dataset(self) -> Any:
        """The dataset, from this node's shared memory."""
        return ray.get(self._data, timeout=FETCH)

    def find_server(self) -> None:
        """Note where the server runs now."""
        with suppress(RayError):
            self.server_node = str(ray.get(self.server.node.remote(), timeout=START))

    def _add_augmenter(self, node: str) -> None:
        # Soft: where the node is lost, the augmenter comes back on another one.
        where = NodeAffinitySchedulingStrategy(node, soft=True)
        maker = ray.remote(AugmenterActor).options(
            num_cpus=1, max_restarts=FOREVER, max_task_retries=0, scheduling_strategy=where
        )
        self._augmenters.append((maker.remote(self._job, [self._data]), node))

    def add_worker(self) -> str:
        """Start one more worker, spread over the nodes; its name."""
        number = next(self._names)
        name = f"worker-{number}"
        augmenter = self._augmenters[number % len(self._augmenters)][0] if self._augmenters else None
        maker = ray.remote(WorkerActor).options(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")
        actor: Any = maker.remote(name, self._job, [self._data], self.server, augmenter, self._bound)
        self._workers[name] = actor, actor.run.remote(), ""
        return name

    def gone(self) -> list[tuple[str, str, BaseException | None]]:
        """Workers whose run has ended since the last call: name, node, and the error that ended it."""
        runs = {run: name for name, (_, run, _) in self._workers.items()}
        if not runs:
            return []
        ended, _ = ray.wait(list(runs), num_returns=len(runs), timeout=0)
        results: list[tuple[str, str, BaseException | None]] = []
        for run in ended:
            name = runs[run]
            node = self._workers.pop(name)[2]
            try:
                ray.get(run, timeout=START)
                results.append((name, node, None))
            except RayError as error:
                results.append((name, node, error))
        return results

    def close(self, seconds: float) -> None:
        """Let the workers end, then end every actor."""
        until = time.monotonic() + seconds
        with suppress(RayError, TimeoutError, AttributeError):
            ray.get(self.server.stop.remote(), timeout=min(2.0, seconds))
            runs = [run for _, run, _ in self._workers.values()]
            if runs:
                ray.wait(runs, num_returns=len(runs), timeout=max(0.0, until - time.monotonic()))
        for actor in [a for a, _, _ in self._workers.values()] + [a for a, _ in self._augmenters]:
            with suppress(RayError):
                ray.kill(actor)
        for actor in (self.server, self._fetcher):
            if actor is not None:
                with suppress(RayError):
                    ray.kill(actor)
