"""One Ray for all its tests, ended after them; nothing of it stays."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workers.ray_runtime.head import Head, head


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[None]:
    """A Ray of this test session alone, with more logical CPUs than the machine has.

    It writes its token to the HOME of all tests: a process reads a token once, so another home would have none.
    """
    ray = pytest.importorskip("ray")
    from workers.ray_runtime.cluster import environment

    ray.init(
        address="local",
        num_cpus=16,
        object_store_memory=512 << 20,
        include_dashboard=False,
        configure_logging=False,
        log_to_driver=False,
        runtime_env={"env_vars": environment()},
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Head]:
    """A cluster that runs already, of the tests alone, to be joined from other processes."""
    with head() as running:
        yield running


def descendants(kind: str) -> list[int]:
    """The processes below this one whose command line begins so, oldest first."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_text()
            except (OSError, IndexError):
                continue

    def ours(process: int) -> bool:
        while process in parents:
            process = parents[process]
            if process == os.getpid():
                return True
        return False

    return sorted(p for p, command in commands.items() if command.startswith(kind) and ours(p))


@pytest.fixture
def kill() -> Callable[[str], bool]:
    """Kill one actor process of a kind with SIGKILL; whether there was one."""

    def kill_one(kind: str) -> bool:
        found = descendants(f"ray::{kind}")
        if found:
            os.kill(found[0], signal.SIGKILL)
        return bool(found)

    return kill_one
