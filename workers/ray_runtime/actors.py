"""The actors of a run: made, placed, found again and ended."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from millrace.datasets import Dataset
from millrace.errors import DeadlineError, MillraceError
from millrace.model import fingerprint
from millrace.workers.clock import Stretch
from millrace.workers.job import Job
from millrace.workers.ray_runtime.at_hand import handed
from millrace.workers.ray_runtime.augmenters import FOREVER, Augmenters, Loss
from millrace.workers.ray_runtime.causes import cause_of
from millrace.workers.ray_runtime.cluster import alive_nodes, check_memory
from millrace.workers.ray_runtime.fetcher import FETCH, FetcherActor
from millrace.workers.ray_runtime.handover import Handover, MappedNodes, TableOffer, patience, received, this_node
from millrace.workers.ray_runtime.refusals import Refusals
from millrace.workers.ray_runtime.servers import Servers, not_on
from millrace.workers.ray_runtime.traced import gathered
from millrace.workers.ray_runtime.worker import WorkerActor

START = 120.0  # seconds for an actor to be there
SAY = 15.0  # seconds until it is said, again and again, that the data is waited for


@dataclass
class _Worker:
    actor: Any
    run: Any  # the answer to its `run`, still to come
    since: float
    node: str = ""  # empty until it has joined


class Actors:
    """One server, augmenters (None: one per node), workers, a fetcher where the dataset is not given. `bound`: bytes in
    flight for each worker."""

    def __init__(
        self,
        job: Job,
        *,
        mirror: str | None,
        offline: bool,
        bound: int,
        mixed: bool,
        augmenters: int | None,
        servers: int = 1,
        traced: bool = False,
        dataset: Dataset | None = None,
    ) -> None:
        self._job, self._bound, self._traced = job, bound, traced
        self._names = itertools.count()
        self._workers: dict[str, _Worker] = {}
        self._refusals = Refusals()
        self.servers = Servers(servers, traced)
        self.server: Any = None
        self.server_node = ""
        self._here = this_node()
        self._fetcher: Any = None
        self._data = self._fetched(mirror, offline) if dataset is None else handed(dataset)
        self._offer: TableOffer | None = None
        self._mapped: MappedNodes | None = None
        self.mixed = mixed
        self.environment = fingerprint()
        self.augmenters = Augmenters(job, self._data, augmenters, traced)

    def _fetched(self, mirror: str | None, offline: bool) -> Handover:
        """The data as a fetcher will hand it over."""
        # On the driver's node: there is the user's cache, and while the driver lives, so does this copy of the data. Of
        # actors without CPUs Ray (2.60) takes a soft wish for none, and puts them anywhere.
        here = NodeAffinitySchedulingStrategy(self._here, soft=False)
        fetcher: Any = ray.remote(FetcherActor)
        self._fetcher = fetcher.options(
            num_cpus=0, max_restarts=FOREVER, max_task_retries=FOREVER, scheduling_strategy=here
        ).remote()
        fetch = self._fetcher.fetch.options(num_returns=2)
        return Handover(*fetch.remote(self._job.dataset, self._job.reading, mirror, offline))

    def begin(self, workers: int, note: Callable[[str], None]) -> None:
        """Start everybody, and wait for the data: processes start and import side by side, and each waits for the data
        by itself. note: hears what is waited for."""
        self.augmenters.fill()
        self.begin_server()
        for _ in range(workers):
            self.add_worker()
        began = time.monotonic()
        while not ray.wait([self._data.offer], timeout=SAY)[0]:
            since = time.monotonic() - began
            if since > FETCH:
                raise DeadlineError(
                    f"dataset {self._job.dataset} was not fetched",
                    expected=f"within {FETCH:g} s",
                    got="no answer of the fetcher",
                    do="look at its node's network, or give a `mirror`",
                )
            note(f"dataset {self._job.dataset} is being fetched for {since:.0f} s")
        self._offer = self._asked(lambda: ray.get(self._data.offer, timeout=START))
        self._mapped = MappedNodes(self._offer)
        check_memory(self._bound, "take a smaller `read_ahead`")

    def begin_server(self, avoided: Sequence[str] = ()) -> None:
        """Start the parameter server; Ray restarts it where it dies.

        It keeps away from the driver's node if it can, at each start: the checkpoints may lie on that node's disk
        alone, and one loss should not take both. avoided: nodes on which it may not run.
        """
        arguments = self._job, self._data, self.environment, self.mixed
        self.server = self.servers.begin(arguments, self._here, avoided)

    def move_server(self, node: str, refusal: MillraceError) -> None:
        """Start the server, or several, where none was refused, which this node is now, and all workers with it; where
        there is no such node, this error."""
        self._refusals.add(node, refusal)
        avoided = self._refusals.around(alive_nodes())
        if avoided is None:
            raise refusal
        ray.kill(self.server)
        self.servers.end()
        self.begin_server(avoided)
        for name in list(self._workers):
            self.end_worker(name)
            self.add_worker()

    @property
    def worker_count(self) -> int:
        return len(self._workers)

    @property
    def workers(self) -> set[str]:
        """The names of the workers."""
        return set(self._workers)

    @property
    def held(self) -> int:
        """CPUs that augmenters and workers have."""
        return len(self.augmenters) + sum(bool(worker.node) for worker in self._workers.values())

    def dataset(self) -> Any:
        """The dataset, from this node's shared memory or mapped from its file."""
        return self._asked(lambda: received(self._data, START))

    def mapped(self) -> list[tuple[str, str, str]]:
        """Who maps the table and was not named yet: the dataset, a node on which the run has processes, why."""
        used = [self._here, self.server_node, *(node for _, node in self.augmenters.handles)]
        used += [worker.node for worker in self._workers.values()]
        return self._mapped.fresh(used) if self._mapped is not None else []

    def patience(self) -> float:
        """Seconds that are waited longer for a process to begin, where it may have to copy the table."""
        return patience(self._offer) if self._offer is not None else 0.0

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except RayTaskError as error:
            raise cause_of(error) from error
        except GetTimeoutError as error:
            raise DeadlineError(
                f"dataset {self._job.dataset} did not reach this machine",
                expected=f"within {START:g} s of its fetching",
                do="check the network between the nodes",
            ) from error

    def find_server(self) -> None:
        """Note where the server runs now."""
        with suppress(RayError):
            self.server_node = str(ray.get(self.server.node.remote(), timeout=START))

    def add_worker(self) -> str:
        """Start one more worker, spread over the nodes; its name."""
        number = next(self._names)
        name = f"worker-{number}"
        # A thread for `run` and one for `use`, which changes the augmenter meanwhile.
        maker = ray.remote(WorkerActor).options(
            num_cpus=1,
            max_restarts=0,
            max_concurrency=2,
            scheduling_strategy="SPREAD",
            label_selector=not_on(self._refusals.nodes),
        )
        helpers = self.augmenters.handles
        actor: Any = maker.remote(number, self._job, self._data, self.server, helpers, self._bound, self._traced)
        self._workers[name] = _Worker(actor, actor.run.remote(), time.monotonic())
        return name

    def end_worker(self, name: str) -> None:
        """End a worker at once; it is not reported as gone."""
        worker = self._workers.pop(name)
        with suppress(RayError):
            ray.kill(worker.actor)
        with suppress(RayError):  # Ray prints an error that nobody asked for
            ray.get(worker.run, timeout=0)

    def note(self, nodes: Mapping[str, str]) -> dict[str, str]:
        """Where the workers are that have joined, by name; those of them that are new."""
        new = {name: node for name, node in nodes.items() if name in self._workers and not self._workers[name].node}
        for name, node in new.items():
            self._workers[name].node = node
        return new

    def avoid(self, node: str) -> None:
        """Start no more workers on this node."""
        self._refusals.add(node)

    def late_workers(self, seconds: float) -> list[str]:
        """Workers that were started so long ago and have not joined yet, the last one first."""
        until = time.monotonic() - seconds
        return [name for name, worker in self._workers.items() if not worker.node and worker.since <= until][::-1]

    def assign(self) -> None:
        """Tell every worker which augmenters there are now."""
        for worker in self._workers.values():
            worker.actor.use.remote(self.augmenters.handles)

    def give_up(self) -> Loss | None:
        """End an augmenter, or one of several workers, so that its CPU is free; None where none can be spared."""
        loss = self.augmenters.give_up()
        if loss is not None:
            self.assign()
            return loss
        joined = [name for name, worker in self._workers.items() if worker.node]
        if len(joined) < 2:
            return None
        node = self._workers[joined[-1]].node
        self.end_worker(joined[-1])
        return Loss(joined[-1], node, "its CPU was needed")

    def gone(self) -> list[tuple[str, str, BaseException | None]]:
        """Workers whose run has ended since the last call: name, node, and the error that ended it."""
        runs = {worker.run: name for name, worker in self._workers.items()}
        if not runs:
            return []
        ended, _ = ray.wait(list(runs), num_returns=len(runs), timeout=0)
        results: list[tuple[str, str, BaseException | None]] = []
        for run in ended:
            name = runs[run]
            worker = self._workers.pop(name)
            try:
                ray.get(run, timeout=START)
                results.append((name, worker.node, None))
            except RayTaskError as error:
                with suppress(RayError):  # its process is still there
                    worker.node = worker.node or str(ray.get(worker.actor.node.remote(), timeout=5))
                    ray.kill(worker.actor)
                results.append((name, worker.node, error))
            except RayError as error:
                results.append((name, worker.node, error))
        return results

    def stretches(self, seconds: float) -> dict[str, list[Stretch]]:
        """What the actors of a traced run have kept, by role and number; see `gathered`."""
        # Also those whose node was not asked for yet: a short run is over sooner. Who still starts has nothing to tell.
        unknown = {worker.actor.node.remote(): name for name, worker in self._workers.items() if not worker.node}
        told = ray.wait(list(unknown), num_returns=len(unknown), timeout=min(2.0, seconds))[0] if unknown else []
        known = {unknown[answer] for answer in told}
        workers = {name: worker.actor for name, worker in self._workers.items() if worker.node or name in known}
        return gathered({**workers, **self.augmenters.actors, "server": self.server, **self.servers.others}, seconds)

    def stop(self, seconds: float) -> None:
        """Let the workers end."""
        until = time.monotonic() + seconds
        with suppress(RayError, TimeoutError, AttributeError):
            ray.get(self.server.stop.remote(), timeout=min(2.0, seconds))
            runs = [worker.run for worker in self._workers.values() if worker.node]
            if runs:
                ray.wait(runs, num_returns=len(runs), timeout=max(0.0, until - time.monotonic()))

    def close(self, seconds: float) -> None:
        """Let the workers end, then end every actor."""
        self.stop(seconds)
        self.augmenters.end()
        self.servers.end()
        for actor in [*(worker.actor for worker in self._workers.values()), self.server, self._fetcher]:
            if actor is not None:
                with suppress(RayError):
                    ray.kill(actor)
