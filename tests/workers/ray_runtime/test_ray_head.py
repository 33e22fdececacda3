"""The head of a cluster is lost, and the driver's Ray with it: the run's folder goes on to the same bytes elsewhere."""

from pathlib import Path

import pytest

from tests.workers.programs import end, run, start
from tests.workers.ray_runtime.head import head
from tests.workers.ray_runtime.long_run import TRAIN, check, wait_for_steps

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

ENDS = 120.0  # seconds in which a driver without a cluster must end


def test_a_lost_head(tmp_path: Path, unbroken: Path) -> None:
    folder = tmp_path / "run"
    with head() as cluster:
        place = ["--runtime", "ray", "--address", cluster.address, "--workers", "2", "--out", str(folder)]
        driver = start(*TRAIN, *place, environment=cluster.environment)
        wait_for_steps(folder / "metrics.jsonl", 100)
        cluster.lose()
        code, output = end(driver, ENDS)
        assert code, output
        assert f"millrace resume {folder}" in output
    run("resume", str(folder), "--runtime", "local")
    check(folder, unbroken)
