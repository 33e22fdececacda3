"""A Ray cluster of several nodes on this machine. Each has folders of its own, Ray's too, which are lost with it."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster
from ray.experimental import internal_kv

from millrace.user_cache import user_cache
from tests.conftest import FOLDERS, share_kernels
from tests.workers.ray_runtime.processes import descendants

STORE = 100 << 20
# A lost node is given up after two seconds instead of a quarter of a minute.
HEALTH = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}


@dataclass(frozen=True)
class Node:
    """A raylet and all below it."""

    handle: Any
    cpus: int
    folder: Path

    @property
    def id(self) -> str:
        """What Ray calls it."""
        return str(self.handle.node_id)


class Nodes:
    """A head, on which drivers run, and nodes that come and go."""

    def __init__(self, cpus: int, store: int) -> None:
        self._kernels = (user_cache() / "kernels").resolve()
        self._folders: list[Path] = []
        self._ours = internal_kv.global_gcs_client  # of this process's own Ray; the cluster puts its own in its place
        self._cluster = Cluster()
        self.head = self._start(cpus, {}, store, include_dashboard=False, _system_config=HEALTH)
        self.others: list[Node] = []

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(
        self, cpus: int, environment: Mapping[str, str] | None = None, *, store: int = STORE, wait: bool = True
    ) -> Node:
        """One more node, with an empty cache and no data; its raylet and all below have this environment. store: bytes
        of its object store."""
        node = self._start(cpus, environment or {}, store, wait=wait)
        self.others.append(node)
        return node

    def lose(self, node: Node) -> None:
        """SIGKILL of the node's raylet; its actors end with it, and its folders are gone."""
        self.others.remove(node)
        self._cluster.remove_node(node.handle, allow_graceful=False)
        shutil.rmtree(node.folder, ignore_errors=True)

    def replace_oldest(self) -> None:
        """Lose the node that has been there for the longest time; another one comes soon."""
        oldest = self.others[0]
        self.lose(oldest)
        self.add(oldest.cpus, wait=False)

    def close(self) -> None:
        self._cluster.shutdown()  # type: ignore[no-untyped-call]
        internal_kv.global_gcs_client = self._ours
        # Of lost nodes too: what outlives its raylet, for a few seconds, writes there still.
        until = time.monotonic() + 15
        while left := [folder for folder in self._folders if folder.exists()]:
            for folder in left:
                shutil.rmtree(folder, ignore_errors=True)
            if time.monotonic() > until:
                raise TimeoutError(f"{left} cannot be removed")
            time.sleep(0.2)

    def _start(self, cpus: int, environment: Mapping[str, str], store: int, **arguments: Any) -> Node:
        folder = Path(tempfile.mkdtemp(prefix="node-"))  # short: sockets lie in it, whose paths may have 107 bytes
        self._folders.append(folder)
        private = {name: str(folder / below) for name, below in FOLDERS.items()}
        private["MILLRACE_CACHE"] = str(folder / "cache" / "millrace")
        share_kernels(folder / "cache" / "millrace", self._kernels)
        variables = {**os.environ, **private, **environment}
        before = set(descendants(""))
        for again in (True, False):
            try:
                node = self._cluster.add_node(
                    num_cpus=cpus, object_store_memory=store, env_vars=variables, temp_dir=str(folder), **arguments
                )
            except Exception as error:  # a bare one
                if not again or "timed out during startup" not in str(error):
                    raise  # half a minute is Ray's limit, however busy the machine is: two tries, as a run has
                for process in set(descendants("")) - before:
                    with suppress(OSError):
                        os.kill(process, signal.SIGKILL)
            else:
                break
        return Node(node, cpus, folder)


@contextmanager
def several_nodes(head: int, *others: int, store: int = STORE) -> Iterator[Nodes]:
    """A cluster of nodes with so many CPUs each; all of it ends with the block. store: bytes of the head's."""
    nodes = Nodes(head, store)
    try:
        for cpus in others:
            nodes.add(cpus)
        yield nodes
    finally:
        nodes.close()
