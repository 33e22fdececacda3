"""A cluster of several nodes on this machine, of one schedule alone. To be imported once the environment is set."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.workers.ray_runtime.nodes import Node, Nodes, several_nodes
from tests.workers.ray_runtime.processes import descendants

GIVEN_UP = 8.0  # seconds in which a node that stood still hears that it was given up


class ChaosCluster:
    """The nodes beside the head, of which the oldest is always meant."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.address = nodes.address

    def lose_one(self) -> bool:
        self._nodes.replace_oldest()
        return True

    def pause_one(self, freeze: Callable[[list[int]], None]) -> bool:
        oldest = self._nodes.others[0]
        raylet = _raylet(oldest)
        freeze([raylet, *descendants("", raylet)])
        until = time.monotonic() + GIVEN_UP
        while time.monotonic() < until and oldest in self._nodes.others:
            if oldest.handle.all_processes["raylet"][0].process.poll() is not None:
                self._nodes.replace_oldest()
            time.sleep(0.1)
        return True


def _raylet(node: Node) -> int:
    return int(node.handle.all_processes["raylet"][0].process.pid)


@contextmanager
def cluster(cpus: Sequence[int], environment: Mapping[str, str]) -> Iterator[ChaosCluster]:
    """A head and others with so many CPUs each; this process gets the environment of its stage, for good."""
    os.environ.update(environment)
    with several_nodes(*cpus) as nodes:
        yield ChaosCluster(nodes)
