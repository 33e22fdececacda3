"""A process that runs, one that has ended, and one that cannot be seen."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.storage.processes import Process

PROGRAM = """\
import json, sys
from dataclasses import asdict
from millrace.storage.processes import Process
print(json.dumps(asdict(Process.here())), flush=True)
sys.stdin.read()
"""
ROOT = Path(__file__).parents[2]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


def test_this_process() -> None:
    here = Process.here()
    assert (here.pid, here.host) == (os.getpid(), socket.gethostname())
    assert str(here) == f"process {os.getpid()} on {socket.gethostname()}"
    assert here.shares_kernel(here)
    assert not here.is_gone(here)


@linux
def test_a_process_that_ends_is_gone_even_before_it_is_waited_for() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        other, here = Process(**json.loads(child.stdout.readline())), Process.here()
        assert other.pid == child.pid
        assert other.shares_kernel(here)
        assert not other.is_gone(here)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert other.is_gone(here)
    assert other.is_gone(here)


@linux
@pytest.mark.parametrize("field", ["boot", "namespace"])
def test_what_runs_on_another_kernel_or_in_another_container_is_never_said_to_be_gone(field: str) -> None:
    here = Process.here()
    gone = dataclasses.replace(here, pid=2**22 + 1)
    other = Process(**{**dataclasses.asdict(gone), field: "elsewhere"})
    assert not other.is_gone(here)
    assert other.shares_kernel(here) == (field == "namespace")
    assert gone.is_gone(here)


@linux
def test_a_number_that_was_given_to_another_process_is_told_by_its_start() -> None:
    here = Process.here()
    assert dataclasses.replace(here, started=here.started - 1).is_gone(here)


def test_without_proc_the_name_of_the_host_is_all_there_is() -> None:
    one = Process("a", 1, "", "", 0)
    assert one.shares_kernel(dataclasses.replace(one, pid=2))
    assert not one.shares_kernel(dataclasses.replace(one, host="b"))
    assert not one.is_gone(one)
