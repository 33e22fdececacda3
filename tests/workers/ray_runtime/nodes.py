"""A Ray cluster of several nodes on this machine. Each has folders of its own, which are lost with it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from tests.conftest import FOLDERS, share_kernels
from user_cache import user_cache

STORE = 100 << 20
# A lost node is given up after two seconds instead of a quarter of a minute.
HEALTH = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}


class Nodes:
    """A head, on which drivers run, and nodes that come and go."""

    def __init__(self, folder: Path, cpus: int) -> None:
        self._folder, self._made = folder, 0
        self._kernels = (user_cache() / "kernels").resolve()
        self._folders: dict[Any, Path] = {}
        self._cluster = Cluster()
        self._start(cpus, {}, include_dashboard=False, _system_config=HEALTH)

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, cpus: int, environment: Mapping[str, str] | None = None) -> Any:
        """One more node, with an empty cache and no data; its raylet and all below have this environment."""
        return self._start(cpus, environment or {})

    def lose(self, node: Any) -> None:
        """SIGKILL of the node's raylet; its actors end with it, and its folders are gone."""
        self._cluster.remove_node(node, allow_graceful=False)
        shutil.rmtree(self._folders.pop(node), ignore_errors=True)

    def close(self) -> None:
        self._cluster.shutdown()  # type: ignore[no-untyped-call]

    def _start(self, cpus: int, environment: Mapping[str, str], **arguments: Any) -> Any:
        folder = self._folder / f"node-{self._made}"
        self._made += 1
        private = {name: str(folder / below) for name, below in FOLDERS.items()}
        private["MILLRACE_CACHE"] = str(folder / "cache" / "millrace")
        share_kernels(folder / "cache" / "millrace", self._kernels)
        variables = {**os.environ, **private, **environment}
        node = self._cluster.add_node(num_cpus=cpus, object_store_memory=STORE, env_vars=variables, **arguments)
        self._folders[node] = folder
        return node


@contextmanager
def cluster(folder: Path, head: int, *others: int) -> Iterator[Nodes]:
    """A cluster of nodes with so many CPUs each; all of it ends with the block."""
    nodes = Nodes(folder, head)
    try:
        for cpus in others:
            nodes.add(cpus)
        yield nodes
    finally:
        nodes.close()
