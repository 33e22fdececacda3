"""What an own Ray starts without: three of its processes, which a run on one machine has no use for, and up to a second
of sleep.

Each of the three is a Python program that takes a second of one core to start, and Ray waits for one of them before it
goes on.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

# Private: `ray.init` has no arguments for them. `test_private_ray` notices where they go.
from ray._private import node as ray_node
from ray._private import parameter as ray_parameter
from ray._private import services as ray_services
from ray._raylet import GcsClient  # type: ignore[attr-defined]

SOON = 0.02  # seconds between two looks at whether the node is there
LATE = 5.0  # seconds after which Ray looks by itself, for as long as it does, and says what is wrong


@contextmanager
def lean() -> Iterator[None]:
    """Start Ray within the block: no autoscaler, since there is one node; nothing that reads the logs for the terminal,
    where nothing of them is said; no web server, which reports to Ray's makers and serves no page here."""
    parameters = partial(ray_parameter.RayParams, no_monitor=True, include_log_monitor=False)  # type: ignore[arg-type]
    with ExitStack() as stack:
        stack.enter_context(_replaced(ray_parameter, "RayParams", parameters))
        stack.enter_context(_replaced(ray_node.Node, "start_api_server", _no_server))
        stack.enter_context(_replaced(ray_services, "get_node", partial(_node, ray_services.get_node)))
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _no_server(node: Any, **options: object) -> None:
    node._webui_url = None  # as it is where none could be started


def _node(get_node: Any, gcs_address: str, node_id: str) -> Any:
    """`get_node`, which sleeps for a second between two looks, once the node is there."""
    client: Any = GcsClient(address=gcs_address)
    until = time.monotonic() + LATE
    while time.monotonic() < until and not client.get_all_node_info(timeout=LATE):
        time.sleep(SOON)
    return get_node(gcs_address, node_id)
