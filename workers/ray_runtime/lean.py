"""What an own Ray starts without: three of its processes, which a run on one machine has no use for, and up to a second
of sleep.

Each of the three is a Python program that takes a second of one core to start, and Ray waits for one of them before it
goes on. A release of Ray that does one of these things otherwise does that one as it likes: it starts later, no more.
"""

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

SOON = 0.02  # seconds between two looks at whether the node is there
LATE = 5.0  # seconds after which Ray looks by itself, for as long as it does, and says what is wrong
WITHOUT = {"no_monitor": True, "include_log_monitor": False}
Replacement = tuple[Any, str, Any]  # whose attribute, its name, what stands there for a while


@contextmanager
def lean() -> Iterator[None]:
    """Start Ray within the block: no autoscaler, since there is one node; nothing that reads the logs for the terminal,
    where nothing of them is said; no web server, which reports to Ray's makers and serves no page here."""
    with ExitStack() as stack:
        for found in REPLACEMENTS:
            with suppress(ImportError, AttributeError):  # this Ray has it elsewhere
                stack.enter_context(_replaced(*found()))
        yield


# Private, all of it: `ray.init` has no arguments for these. `test_private_ray` notices where they go.
def _fewer_processes() -> Replacement:
    from ray._private import parameter

    known = inspect.signature(parameter.RayParams).parameters
    without: dict[str, Any] = {name: value for name, value in WITHOUT.items() if name in known}
    return parameter, "RayParams", partial(parameter.RayParams, **without)


def _no_web_server() -> Replacement:
    from ray._private import node

    if "_webui_url" not in node.Node.start_api_server.__code__.co_names:
        raise AttributeError("what is set in its place has another name")
    return node.Node, "start_api_server", _no_server


def _sooner() -> Replacement:
    from ray._private import services
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    return services, "get_node", partial(_node, GcsClient, services.get_node)


REPLACEMENTS: tuple[Callable[[], Replacement], ...] = (_fewer_processes, _no_web_server, _sooner)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _no_server(node: Any, *_: object, **__: object) -> None:
    node._webui_url = None  # as it is where none could be started


def _node(connect: Any, get_node: Any, gcs_address: str, *others: Any, **named: Any) -> Any:
    """`get_node`, which sleeps for a second between two looks, once the node is there."""
    nodes = getattr(connect(address=gcs_address), "get_all_node_info", None)
    until = time.monotonic() + LATE
    while nodes is not None and time.monotonic() < until and not nodes(timeout=LATE):
        time.sleep(SOON)
    return get_node(gcs_address, *others, **named)
