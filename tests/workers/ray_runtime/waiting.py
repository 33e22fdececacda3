"""Waiting for what a running program does."""

import time
from collections.abc import Callable
from typing import Any


def wait_for(look: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    """What `look` finds, once it finds something; TimeoutError names what did not come."""
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.02)
    return found
