"""One Ray for all its tests, ended after them; nothing of it stays."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workers.programs import run
from tests.workers.ray_runtime.head import Head, head
from tests.workers.ray_runtime.long_run import TRAIN
from tests.workers.ray_runtime.processes import descendants


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[None]:
    """A Ray of this test session alone, with more logical CPUs than the machine has.

    It writes its token to the HOME of all tests: a process reads a token once, so another home would have none.
    """
    ray = pytest.importorskip("ray")
    from millrace.workers.ray_runtime.own_ray import start
    from millrace.workers.ray_runtime.variables import variables

    with variables(own=True):
        start(8, 512 << 20)  # twice where need be: Ray gives its processes half a minute, however busy the machine is
        yield
        ray.shutdown()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Head]:
    """A cluster that runs already, of the tests alone, to be joined from other processes."""
    with head() as running:
        yield running


@pytest.fixture
def kill() -> Callable[[str], bool]:
    """Kill one actor process of a kind with SIGKILL; whether there was one."""

    def kill_one(kind: str) -> bool:
        found = descendants(f"ray::{kind}")
        if found:
            os.kill(found[0], signal.SIGKILL)
        return bool(found)

    return kill_one


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the long run, trained in local mode without an accident."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    run(*TRAIN, "--out", str(folder), "--workers", "2")
    return folder
