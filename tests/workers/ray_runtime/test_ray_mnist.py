"""The real MNIST on Ray, through kills and on several nodes: the bytes of local mode."""

import os
from pathlib import Path

import pytest

from tests.workers.programs import run, start
from tests.workers.ray_runtime.chaos import ACTORS, Chaos
from tests.workers.ray_runtime.long_run import trained
from tests.workers.ray_runtime.nodes import several_nodes
from tests.workers.ray_runtime.test_ray_chaos import finish

MIRROR = os.environ.get("MILLRACE_TEST_MIRROR", "")

pytestmark = [
    pytest.mark.data,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not MIRROR, reason="MILLRACE_TEST_MIRROR does not say where the real data lies"),
]

TRAIN = ["train", "--dataset", "mnist", "--mirror", MIRROR, "--epochs", "2", "--batch", "256", "--seed", "7"]
TRAIN += ["--checkpoint-every", "1"]


def test_the_real_data_through_kills_and_on_three_nodes(tmp_path: Path) -> None:
    run(*TRAIN, "--out", str(tmp_path / "local"))
    expected = trained(tmp_path / "local")
    driver = start(*TRAIN, "--runtime", "ray", "--workers", "2", "--augmenters", "1", "--out", str(tmp_path / "ray"))
    finish(Chaos(tmp_path / "ray", driver, driver.pid, [(kind,) for kind in ACTORS], seed=1), driver)
    assert trained(tmp_path / "ray") == expected
    assert "missing 0, repeated 0" in run("audit", str(tmp_path / "ray"))
    with several_nodes(3, 2, 2) as nodes:
        place = ["--runtime", "ray", "--address", nodes.address, "--workers", "3", "--out", str(tmp_path / "nodes")]
        run(*TRAIN, *place)
    assert trained(tmp_path / "nodes") == expected
