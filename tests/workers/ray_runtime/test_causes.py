"""The one line that an incident keeps, of errors that a real Ray raises."""

import os
import signal
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]


class Frail:
    """An actor that dies, or never lives."""

    def __init__(self, reason: str = "") -> None:
        if reason:
            raise OSError(reason)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def fail(self) -> None:
        raise ValueError("the second\nof two lines")


@pytest.mark.usefixtures("shared_ray")
def test_the_cause_of_what_ray_raises() -> None:
    ray: Any = pytest.importorskip("ray")
    from millrace.workers.ray_runtime.causes import cause_of, why

    kind = ray.remote(Frail)
    killed, unstarted, failing = kind.remote(), kind.remote("no room for it"), kind.remote()
    said: list[str] = []
    for call in (killed.die.remote(), unstarted.die.remote(), failing.fail.remote()):
        with pytest.raises(ray.exceptions.RayError) as caught:
            ray.get(call, timeout=60)
        said.append(why(cause_of(caught.value)))
    address = ray.util.get_node_ip_address()
    assert said[0].startswith("its worker process has died. ")
    assert f" at {address})" in said[0]
    assert "(process " in said[0]
    assert said[1:] == ["it could not start: OSError: no room for it", "the second"]
    ray.kill(failing)
    assert why(TimeoutError()) == "TimeoutError"
