"""A Ray of this process's own, on this machine: started quietly, tried again once, ended with this process."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray

# Private: nothing public names the processes of an own Ray. `test_private_ray` notices where it goes.
from ray._private import worker as ray_worker

from millrace.errors import MillraceError, TrainingError
from millrace.workers.ray_runtime.lean import lean
from millrace.workers.ray_runtime.quiet import quiet

SMALLEST_STORE = 128 << 20  # bytes
# Of the command lines of Ray's agents, before and after they name themselves.
AGENTS = (b"dashboard/agent.py", b"runtime_env/agent/main.py", b"ray::DashboardAgent", b"ray::RuntimeEnvAgent")


def start(cpus: int, memory: int) -> None:
    """Start one with so many logical CPUs and bytes of shared memory, within `variables(own=True)`.

    One of its processes may be lost while it starts (a `kill -9`, no memory left): it is tried again once.
    TrainingError names what was lost.
    """
    for again in (True, False):
        before = _children()
        try:
            _init(cpus, memory)
            return
        except MillraceError:
            raise
        except Exception as error:  # Ray raises a bare one after half a minute, whatever was lost
            ended = [_fate(child) for child in _children() - before if _state(child) == "Z"]
            ray.shutdown()
            for child in _children() - before:  # what is left of it would stay until this process ends
                with suppress(OSError):
                    os.kill(child, signal.SIGKILL)
            if not again:
                raise TrainingError(
                    "Ray does not start on this machine",
                    expected="its processes alive half a minute after their start, in one of two tries",
                    got="; ".join(ended) or " ".join(str(error).split()),
                    do="look for what ends or slows its processes (memory, a limit, another program); its logs lie in "
                    "/tmp/ray/session_latest/logs; or do without it: `runtime=local`",
                ) from error


def agents() -> list[int]:
    """The processes that would ask for an own Ray for a minute after a kill of this one; all others end with it."""
    node: Any = ray_worker._global_node
    raylet = node.all_processes["raylet"][0].process.pid
    return [child for child in _children(raylet) if any(name in _command(child) for name in AGENTS)]


def _init(cpus: int, memory: int) -> None:
    with quiet(), lean():
        ray.init(
            address="local",
            num_cpus=cpus,
            object_store_memory=max(memory, SMALLEST_STORE),
            include_dashboard=False,
            configure_logging=False,
            log_to_driver=False,
        )


def _children(process: int | str = "self") -> set[int]:
    """The processes that a process has started and that were not waited for."""
    found: set[int] = set()
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found |= {int(child) for child in children.read_text().split()}
    return found


def _command(process: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def _state(process: int) -> str:
    """A letter of the system's: "Z" for one that has ended."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def _fate(process: int) -> str:
    """Name and end of a process of Ray's that has ended and was not waited for."""
    name, how = "a process of Ray", "ended"
    with suppress(OSError):
        name = Path(f"/proc/{process}/comm").read_text().strip()
        ended = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None:
            how = f"{'exit code' if ended.si_code == os.CLD_EXITED else 'signal'} {ended.si_status}"
    why = ", as it does where an agent of its is killed, or too slow to start" if name == "raylet" else ""
    return f"{name} ended while Ray started ({how}{why})"
