"""Calls between nodes that are lost, or carried out though their answer is lost, and then repeated: the same bytes."""

import json
from pathlib import Path

import pytest

from tests.workers.programs import end, start
from tests.workers.ray_runtime.long_run import TRAIN, check, go_on_locally, wait_for_steps
from tests.workers.ray_runtime.nodes import several_nodes
from tests.workers.runs import lines

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

# Of each process's calls of an actor, in percent: not sent; carried out, the answer lost; sent, and reported as failed.
FAILURES = {"num_failures": 10, "req_failure_prob": 1, "resp_failure_prob": 2, "in_flight_failure_prob": 1}


def test_lost_and_repeated_calls_change_no_byte(
    tmp_path: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_testing_rpc_failure", json.dumps({"CoreWorkerService.grpc_client.PushTask": FAILURES}))
    folder = tmp_path / "run"
    with several_nodes(2, 2) as nodes:
        # The server is on the second node: a worker on the first one reaches it by calls alone.
        place = ["--runtime", "ray", "--address", nodes.address, "--workers", "2", "--augmenters", "1"]
        driver = start(*TRAIN, *place, "--out", str(folder))
        try:
            # Each process has met its failures before; some of them cost seconds.
            wait_for_steps(folder / "metrics.jsonl", 200, 300)
            go_on_locally(driver, folder)
        except BaseException as error:
            driver.kill()
            raise AssertionError(end(driver, 30)[1]) from error
    check(folder, unbroken)
    assert any(line["kind"] == "message lost" for line in lines(folder / "incidents.jsonl"))
