"""The head of a cluster is lost, and the driver's Ray with it: the run's folder goes on to the same bytes elsewhere."""

from pathlib import Path

import pytest

from tests.workers.programs import end, run, start
from tests.workers.ray_runtime.long_run import TRAIN, check
from tests.workers.ray_runtime.nodes import several_nodes
from tests.workers.ray_runtime.test_ray_driver import wait_for_steps

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

ENDS = 120.0  # seconds in which a driver without a cluster must end


def test_a_lost_head(tmp_path: Path, unbroken: Path) -> None:
    folder = tmp_path / "run"
    with several_nodes(3, 2) as nodes:
        driver = start(*TRAIN, "--runtime", "ray", "--address", nodes.address, "--workers", "2", "--out", str(folder))
        wait_for_steps(folder / "metrics.jsonl", 100)
        nodes.lose_head()
        code, output = end(driver, ENDS)
        assert code, output
        assert f"millrace resume {folder}" in output
    run("resume", str(folder), "--runtime", "local")
    check(folder, unbroken)
