"""What a run says of itself: a spilling object store, a step that does not end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from millrace.workers.ray_runtime.messages import Status
from tests.workers.ray_runtime.head import ROOT, Head

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

# Holds more than the cluster's object store of 256 MiB takes, until its standard input ends.
FILL = """
import sys, ray, numpy
ray.init(address=sys.argv[1], configure_logging=False, log_to_driver=False)
held = [ray.put(numpy.zeros(40 << 20, numpy.uint8)) for _ in range(8)]
print("full", flush=True)
sys.stdin.read()
"""


def status(version: int, age: float, missing: list[int], members: tuple[str, ...]) -> Status:
    return Status("incarnation", version, [], age, missing, members, ("",) * len(members), {}, 0, 0)


@pytest.mark.usefixtures("shared_ray")
def test_a_step_that_does_not_end_says_what_it_waits_for() -> None:
    from millrace.workers.ray_runtime.watch import Watch

    said: list[str] = []
    faults: list[tuple[str, ...]] = []
    watch = Watch(said.append, lambda *words: faults.append(tuple(map(str, words))))
    for age in (1.0, 14.0):
        watch.look(status(0, age, [0, 1], ()), 0)
    assert said == []
    for age in (15.5, 16.0, 70.0):
        watch.look(status(0, age, [0, 1], ()), 0)
    assert len(said) == 1
    assert said[0].startswith("no step for 16 s: waiting for the first worker")
    watch.look(status(0, 76.0, [0, 1], ()), 0)
    assert len(said) == 2
    watch.look(status(7, 3.0, [0], ("worker-0",)), 7)
    watch.look(status(7, 20.0, [0, 3], ("worker-0", "worker-2")), 7)
    assert said[2:] == ["no step for 20 s: step 7 lacks slots 0, 3; at work are worker-0, worker-2"]
    watch.look(status(8, 20.0, [], ("worker-0",)), 8)
    assert said.pop() == "no step for 20 s: all slots of step 8 have come; the parameter servers are waited for"
    for seconds in (5.0, 14.0, 15.0, 30.0, 80.0, 3.0, 16.0):
        watch.server_late(seconds)
    assert ["server is waited for" in text for text in said[3:]] == [True, True, True]
    assert [text.split(", ")[1].split(" s ")[0] for text in said[3:]] == ["15", "80", "16"]
    assert faults == []


@pytest.mark.slow
def test_spilling_is_reported_as_a_fault(cluster: Head, tmp_path: Path) -> None:
    words = ["train", "--json", "--epochs", "100000", "--runtime", "ray", "--address", cluster.address]
    command = [sys.executable, "-m", "millrace", *words, "--workers", "1", "--out", str(tmp_path / "run")]
    environment = cluster.environment | {"PYTHONPATH": str(ROOT)}
    fill = [sys.executable, "-c", FILL, cluster.address]
    pipe = subprocess.PIPE
    errors = (tmp_path / "errors").open("w")
    run = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=errors, text=True)
    filler: subprocess.Popen[str] | None = None
    try:
        until = time.monotonic() + 200
        assert run.stdout is not None
        found = ""
        for line in run.stdout:
            assert time.monotonic() < until
            event = json.loads(line)
            if event["event"] == "epoch" and filler is None:
                filler = subprocess.Popen(fill, env=environment, stdin=pipe, stdout=pipe, text=True)
            if event["event"] == "notice" and "spilling" in event["text"]:
                found = event["text"]
                run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130
        assert "object store of 256 MiB is full" in found
        assert "--object-store-memory" in found
        incidents = [json.loads(line) for line in (tmp_path / "run" / "incidents.jsonl").read_text().splitlines()]
        [fault] = [incident for incident in incidents if incident["kind"] == "spilling to disk"]
        assert len(fault["node"]) > 8
        assert "written to disk" in fault["cause"]
    finally:
        for process in filter(None, (run, filler)):
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=30)
        errors.close()
