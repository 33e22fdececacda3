"""The Ray that a run uses: its own on this machine, or a cluster that runs already. Every wait has a deadline."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from millrace.cores import cores
from millrace.errors import DeadlineError, MillraceError, UsageError
from millrace.workers.ray_runtime.last_words import last_words
from millrace.workers.ray_runtime.own_ray import agents, start
from millrace.workers.ray_runtime.quiet import quiet
from millrace.workers.ray_runtime.reach import reach
from millrace.workers.ray_runtime.variables import ROOT, variables

CONNECT = 30.0  # seconds to reach a cluster
MIB = 1 << 20


@dataclass(frozen=True)
class Need:
    """What a run asks of a cluster: logical CPUs, and bytes of shared memory on each node."""

    cpus: int
    memory: int


@contextmanager
def connected(address: str | None, need: Need) -> Iterator[bool]:
    """Connect to Ray; True where it is the run's own, which ends with the block.

    None: an own Ray on this machine, with as many logical CPUs as the run asks for; it joins no other. "auto" or
    HOST:PORT: a cluster that runs already. An existing connection of this process is used as it is.
    """
    if ray.is_initialized():
        yield False
        return
    # Ray puts a handler of its own for SIGTERM in place, which ends the process without a checkpoint.
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with variables(own=address is None):
        try:
            start(need.cpus, need.memory) if address is None else _join(address)
            _restore(handlers)
            with last_words("", agents() if address is None else []):
                yield address is None
        finally:
            ray.shutdown()


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    except ValueError:
        return  # not the main thread: there Ray puts no handlers in place either


def inside_job() -> bool:
    """Whether this process is the driver of `ray job submit`, whose working folder is a copy of the project."""
    return bool(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR"))  # Ray's own name for it


def _join(address: str) -> None:
    environment = None if inside_job() else {"py_modules": [str(ROOT / "millrace")]}
    target = reach(address)
    try:
        with _deadline(CONNECT, f"the Ray cluster at {address}"), quiet():
            ray.init(address=target, configure_logging=False, log_to_driver=False, runtime_env=environment)
    except MillraceError:
        raise
    except (RayError, RuntimeError, ValueError, ConnectionError) as error:
        raise UsageError(
            f"the Ray cluster at {address} cannot be joined",
            expected="a node of that cluster on this machine, with this program's versions",
            got=" ".join(str(error).split()),
            do=f"run `ray start --address={target}` here first, or submit the run as a job",
        ) from error


@contextmanager
def _deadline(seconds: float, what: str) -> Iterator[None]:
    """Raise a DeadlineError in this thread after so many seconds; without effect outside of the main thread."""

    def late(number: int, frame: object) -> None:
        raise DeadlineError(
            f"{what} does not answer", expected=f"within {seconds:g} s", do="check address and firewall"
        )

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check_memory(size: int, instead: str = "take a `subset`") -> None:
    """UsageError where a node's shared memory cannot hold so many bytes: it would spill to disk. instead: the other
    advice."""
    for node in nodes():
        memory = int(node["Resources"].get("object_store_memory", 0))
        if node["Alive"] and memory < size:
            raise UsageError(
                f"the object store of node {node['NodeName']} is too small: it would spill to disk",
                expected=f"at least {size / MIB:.0f} MiB",
                got=f"{memory / MIB:.0f} MiB",
                do=f"start the node with a larger --object-store-memory, or {instead}",
            )


def nodes() -> list[dict[str, Any]]:
    """All nodes that the cluster has or had, as Ray describes them."""
    return list(ray.nodes())  # type: ignore[no-untyped-call]


def resources(which: str) -> dict[str, float]:
    """Resources by name: "cluster" for all of them, "available" for what is free."""
    known = ray.cluster_resources() if which == "cluster" else ray.available_resources()  # type: ignore[no-untyped-call]
    return dict(known)


def all_cores() -> int:
    """The processors of all nodes. What a single node says of itself may be what the run asked for: it is looked at."""
    return cores() if len(alive_nodes()) < 2 else int(resources("cluster").get("CPU", 1))


def metrics_addresses() -> list[str]:
    """Where each node that is alive answers in Prometheus format."""
    alive = [node for node in nodes() if node["Alive"]]
    return sorted(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics" for node in alive)


def alive_nodes() -> list[str]:
    """The ids of the nodes that are alive, in a fixed order."""
    return sorted(str(node["NodeID"]) for node in nodes() if node["Alive"])
