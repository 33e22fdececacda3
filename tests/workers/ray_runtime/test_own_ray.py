"""An own Ray starts without a word, and again where one of its processes is lost meanwhile."""

import os
import signal
import subprocess
import sys
import time

import pytest

from millrace.workers.ray_runtime.own_ray import AGENTS
from millrace.workers.ray_runtime.variables import STAYS
from tests.workers.programs import ROOT
from tests.workers.ray_runtime.processes import descendants

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

PROGRAM = """
from pathlib import Path
from millrace.errors import TrainingError
from millrace.workers.ray_runtime.cluster import Need, connected
from millrace.workers.ray_runtime.own_ray import _children
try:
    with connected(None, Need(1, 1)) as own:
        lines = [Path(f"/proc/{child}/cmdline").read_text() for child in _children()]
        words = {Path(word).name for line in lines for word in line.split("\\0")}
        print("own", own, *sorted(words & {"dashboard.py", "monitor.py", "log_monitor.py", "gcs_server", "raylet"}))
except TrainingError as error:
    print(error)
"""


def started(kills: int) -> str:
    """What a program says that starts an own Ray, of which so many raylets lose their agents as soon as they run."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    killed: set[int] = set()
    raylets: set[int] = set()
    until = time.monotonic() + 300
    while program.poll() is None and time.monotonic() < until:
        for process in descendants("", program.pid):
            raylet, command = _parent_and_command(process)
            # Not the raylet itself, whose command line has its agents' in it.
            if (
                raylet != program.pid
                and any(name in command for name in AGENTS)
                and (raylet in raylets or len(raylets) < kills)
            ):
                raylets.add(raylet)
                if process not in killed:
                    os.kill(process, signal.SIGKILL)
                    killed.add(process)
        time.sleep(0.02)
    assert len(raylets) == kills
    output, _ = program.communicate(timeout=60)
    return output


def _parent_and_command(process: int) -> tuple[int, bytes]:
    try:
        with open(f"/proc/{process}/stat") as stat, open(f"/proc/{process}/cmdline", "rb") as command:
            return int(stat.read().rpartition(")")[2].split()[1]), command.read()
    except OSError:
        return 0, b""


def test_nothing_of_its_own_is_on_the_terminal_and_what_nobody_needs_is_not_started() -> None:
    assert started(0) == "own True gcs_server raylet\n"


def test_it_is_tried_again_where_its_agents_are_killed() -> None:
    assert started(1) == "own True gcs_server raylet\n"


def test_where_they_are_killed_again_the_error_names_the_cause() -> None:
    said = started(2)
    assert said.startswith("Ray does not start on this machine\n")
    assert "raylet ended" in said


VARIABLES = """
import ctypes
from millrace.workers.ray_runtime.cluster import Need, connected
from millrace.workers.ray_runtime.variables import variables

def names():
    found = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    every = iter(found)
    return {entry.partition(b"=")[0] for entry in iter(lambda: next(every), None)}

with variables(own=True):
    before = names()
    with connected(None, Need(1, 1)):
        during = names()
    after = names()
print(sorted(during ^ before), sorted(after ^ before), sorted(before - names()))
"""


def test_no_variable_is_added_while_rays_threads_run() -> None:
    """A thread that reads one meanwhile reads freed memory: signal 11."""
    set_here = {*STAYS, "PYTHONPATH", "RAY_AUTH_MODE"}
    bare = {name: value for name, value in os.environ.items() if name not in set_here}
    command = [sys.executable, "-c", VARIABLES]
    said = subprocess.run(command, cwd=ROOT, env=bare, timeout=300, capture_output=True, text=True, check=True)
    assert said.stdout == "[] [] [b'PYTHONPATH']\n"
