"""The metrics of a run on a Ray of its own, scraped from the node's port as Prometheus does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[3]
START, WAIT, LEAVE = 150.0, 60.0, 15.0  # seconds
COPIED = "ray_millrace_copied_bytes_per_step"
FLIGHT = "ray_millrace_bytes_in_flight"
NAMES = {
    FLIGHT,
    "ray_millrace_samples_per_second",
    "ray_millrace_step_seconds",
    "ray_millrace_data_waiting_share",
    "ray_millrace_gradient_norm",
    "ray_millrace_lease_retries",
    COPIED,
    "ray_millrace_steps_total",
}


def scraped(address: str) -> dict[str, list[float]]:
    """The values under each of this project's names, in Prometheus' text format."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, list[float]] = {}
    for name, value in re.findall(r"^(ray_millrace_\w+)\{[^}]*\} (\S+)$", text, re.MULTILINE):
        found.setdefault(name, []).append(float(value))
    return found


def addresses(process: subprocess.Popen[str]) -> list[str]:
    """What the run says of where it is watched, once it has begun."""
    found: list[str] = []
    until = time.monotonic() + START
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "notice" and "/metrics" in event["text"]:
            found = re.findall(r"http://\S+/metrics", event["text"])
        if event["event"] == "epoch" and found:
            return found
        assert time.monotonic() < until
    pytest.fail("the run ended before its first epoch")


def test_a_run_is_seen_on_the_metrics_port_and_ends_within_seconds(tmp_path: Path) -> None:
    place = ["--runtime", "ray", "--workers", "2", "--augmenters", "1"]  # its batches are what is copied
    words = ["train", "--json", "--epochs", "100000", *place, "--no-test"]
    command = [sys.executable, "-m", "millrace", *words, "--out", str(tmp_path / "run")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_metrics_report_interval_ms": "1000"}
    errors = (tmp_path / "errors").open("w")
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
    )
    try:
        [address] = addresses(process)
        seen: dict[str, list[float]] = {}
        until = time.monotonic() + WAIT
        # The second worker may join some steps after the first, and the augmenter come later: until then workers warp.
        while (seen.keys() != NAMES or len(seen[FLIGHT]) < 2 or not seen[COPIED][0]) and time.monotonic() < until:
            time.sleep(0.5)
            seen = scraped(address)
        assert seen.keys() == NAMES
        assert len(seen[FLIGHT]) == 2
        assert seen["ray_millrace_steps_total"][0] > 1
        assert seen["ray_millrace_samples_per_second"][0] > 1
        assert 0 < seen["ray_millrace_gradient_norm"][0] < 1000
        assert 0 <= seen["ray_millrace_data_waiting_share"][0] <= 1
        assert seen[COPIED][0] > 1000  # batches at least
        stopped = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
        assert time.monotonic() - stopped < LEAVE
        assert process.returncode == 130
        done = json.loads(rest.splitlines()[-1])  # the first line may be torn: `addresses` has read ahead
        assert done["event"] == "run_done"
        assert done["copied_per_step"] > 1000
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        errors.close()
