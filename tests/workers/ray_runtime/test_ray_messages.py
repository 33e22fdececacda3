"""Calls of actors that are lost, or carried out though their answer is lost, and then repeated: the same bytes."""

import json
from pathlib import Path

import pytest

from tests.workers.programs import run
from tests.workers.ray_runtime.long_run import TRAIN, check

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

# Of each process's calls of an actor, in percent: not sent; carried out, the answer lost; sent, and reported as failed.
FAILURES = {"num_failures": 40, "req_failure_prob": 1, "resp_failure_prob": 2, "in_flight_failure_prob": 1}


def test_lost_and_repeated_calls_change_no_byte(
    tmp_path: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_testing_rpc_failure", json.dumps({"CoreWorkerService.grpc_client.PushTask": FAILURES}))
    place = ["--runtime", "ray", "--workers", "2", "--augmenters", "1"]
    run(*TRAIN, *place, "--out", str(tmp_path / "run"))
    check(tmp_path / "run", unbroken)
