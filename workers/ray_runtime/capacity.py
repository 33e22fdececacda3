"""CPUs of a cluster: waited for, and asked of its autoscaler."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# Private: no public call says how many nodes are on their way (`ray status` reads the same entry), and demands are made
# in `ray.autoscaler.sdk` alone. `test_private_ray` notices where they go.
from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
from ray.exceptions import RayError
from ray.experimental.internal_kv import _internal_kv_get

from millrace.errors import DeadlineError
from millrace.workers.ray_runtime.cluster import resources

CAPACITY = 60.0  # seconds to wait for missing CPUs
LAUNCH = 900.0  # seconds to wait at most while the autoscaler starts nodes
SAY = 15.0  # seconds until it is said, again and again, what is waited for


@contextmanager
def demanded(cpus: int) -> Iterator[None]:
    """Have the cluster's autoscaler, if it has one, hold nodes for so many CPUs while the block lasts.

    Without it nodes would come for actors that wait alone, and a run starts actors beyond its least number only where a
    CPU is free."""
    # Half of what this package's modules take to import: only for clusters that may have one.
    from ray.autoscaler.sdk import request_resources

    request_resources(num_cpus=cpus)
    try:
        yield
    finally:
        with suppress(RayError, RuntimeError):  # the cluster may be gone
            request_resources(num_cpus=0)


def check_capacity(cpus: int, deadline: float = CAPACITY, note: Callable[[str], None] = lambda text: None) -> None:
    """Wait until so many CPUs of the cluster are free, longer where nodes are on their way; DeadlineError says how many
    there are."""
    began = time.monotonic()
    until, say_at = began + deadline, began + SAY
    while (free := int(resources("available").get("CPU", 0))) < cpus:
        now, coming = time.monotonic(), coming_nodes()
        total = int(resources("cluster").get("CPU", 0))
        if coming and now < began + LAUNCH:
            until = now + deadline
        if now > until:
            raise DeadlineError(
                "the cluster has too few free CPUs",
                expected=f"{cpus} within {deadline:g} s (1 for each process of this program)",
                got=f"{free} free of {total}",
                do="add nodes, end what else runs there, or ask for fewer `workers` and `augmenters`"
                if cpus > 1
                else "add nodes, or end what else runs there",
            )
        if now > say_at:
            say_at = now + SAY
            note(f"waiting for {cpus} CPUs: {free} of {total} are free, {coming} nodes are on their way")
        time.sleep(0.5)


def coming_nodes() -> int:
    """Nodes that the cluster's autoscaler has asked for and that are not there yet; 0 without one."""
    with suppress(ValueError, AttributeError):
        report = json.loads(_internal_kv_get(DEBUG_AUTOSCALING_STATUS) or b"{}").get("autoscaler_report", {})
        return len(report.get("pending_nodes") or []) + int(sum((report.get("pending_launches") or {}).values()))
    return 0
