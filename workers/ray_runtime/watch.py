"""Nothing is silent: what a run waits for, and what its nodes' object stores spill to disk."""

import time
from collections.abc import Callable
from typing import Any

import grpc

# Private: what an object store has spilled is a number of its node alone, which no public call gives.
# `test_private_ray` notices where they go.
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated import node_manager_pb2, node_manager_pb2_grpc

from millrace.workers.ray_runtime.cluster import MIB, nodes
from millrace.workers.ray_runtime.messages import Status
from millrace.workers.ray_runtime.staffing import Incident

MESSAGES: Any = node_manager_pb2  # generated, without types
SERVICES: Any = node_manager_pb2_grpc
LOOK = 5.0  # seconds between two looks at the object stores
ANSWER = 2.0  # seconds for a node's answer; one that is late is asked again at the next look
NEW = "on a machine new to this program its kernels are compiled first, and a table that is mapped there is copied"
SILENCE, AGAIN = 15.0, 60.0  # seconds without a step until it is said, and until it is said again


class Spilling:
    """What the nodes of a cluster have spilled since this began: the run goes on, but at a disk's speed."""

    def __init__(self) -> None:
        self._before = {str(node["NodeID"]): spilled(node) or 0 for node in nodes() if node["Alive"]}
        self._least = dict.fromkeys(self._before, 1)  # bytes that are worth a word
        self._next = time.monotonic() + LOOK

    def look(self) -> list[tuple[str, str]]:
        """Nodes (id, what happened) that have spilled, each said again when it is twice as much; mostly none."""
        if time.monotonic() < self._next:
            return []
        self._next = time.monotonic() + LOOK
        return [(str(node["NodeID"]), said) for node in nodes() if node["Alive"] and (said := self._grown(node))]

    def _grown(self, node: dict[str, Any]) -> str | None:
        now, key = spilled(node), str(node["NodeID"])
        size = (now or 0) - self._before.get(key, 0)
        if size < self._least.get(key, 1):
            return None
        self._least[key] = 2 * size
        store = node["Resources"].get("object_store_memory", 0) / MIB
        return (
            f"{size / MIB:.0f} MiB written to disk as the object store of {store:.0f} MiB is full: start the node "
            f"with a larger --object-store-memory, or take a smaller `read_ahead` or `subset`"
        )


def spilled(node: dict[str, Any]) -> int | None:
    """Bytes that a node's object store has put on its disk since it started; None where it does not answer."""
    channel = init_grpc_channel(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}")
    try:
        question = MESSAGES.GetNodeStatsRequest(include_memory_info=False)
        stats = SERVICES.NodeManagerServiceStub(channel).GetNodeStats(question, timeout=ANSWER).store_stats
    except grpc.RpcError:
        return None
    finally:
        channel.close()
    return int(stats.spilled_bytes_total) + int(stats.object_store_bytes_fallback)


class Watch:
    """Looks on while a run goes on. `note` says what is no fault, `incident` what is one and was survived. missing:
    what a status means by that."""

    def __init__(self, note: Callable[[str], None], incident: Incident, missing: str = "slots") -> None:
        self._note, self._incident, self._missing = note, incident, missing
        self._spilling = Spilling()
        self._version, self._say_at = -1, SILENCE
        self._server_at = SILENCE

    def look(self, status: Status, step: int) -> None:
        """Called with every status of the server."""
        for node, what in self._spilling.look():
            self._incident("spilling to disk", "object store", node, what, step)
        if status.version != self._version:
            self._version, self._say_at = status.version, SILENCE
        if status.age >= self._say_at:
            self._say_at = status.age + AGAIN
            self._note(waiting_for(status, self._missing))

    def server_late(self, seconds: float) -> None:
        """Called now and then while the parameter server is waited for; seconds: for how long by now."""
        if seconds < SILENCE:
            self._server_at = SILENCE
        elif seconds >= self._server_at:
            self._server_at = seconds + AGAIN
            self._note(
                f"the parameter server is waited for, {seconds:.0f} s by now: it starts, or starts again, where a CPU "
                f"is free; {NEW}"
            )


def waiting_for(status: Status, missing: str = "slots") -> str:
    """What a step that does not end waits for."""
    since = f"no step for {status.age:.0f} s"
    if not status.members:
        return f"{since}: waiting for the first worker; {NEW}"
    if not status.missing:
        return f"{since}: all {missing} of step {status.version} have come; the parameter servers are waited for"
    numbers = ", ".join(map(str, status.missing[:8])) + (" …" if len(status.missing) > 8 else "")
    return f"{since}: step {status.version} lacks {missing} {numbers}; at work are {', '.join(status.members[:8])}"
