"""cluster.yaml against Ray's own schema; the KubeRay file against the versions that are locked here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def cluster() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    return loaded


@pytest.mark.ray
def test_ray_takes_the_cluster_file() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(cluster()))


def test_nodes_install_from_the_lock_and_the_dashboard_stays_at_home() -> None:
    config = cluster()
    assert any("--require-hashes -r ~/millrace/requirements/run.txt" in line for line in config["setup_commands"])
    assert any("--dashboard-host=127.0.0.1" in line for line in config["head_start_ray_commands"])
    assert (
        config["available_node_types"]["worker"]["max_workers"]
        >= config["available_node_types"]["worker"]["min_workers"]
    )


def test_the_job_file_names_the_locked_ray() -> None:
    job = yaml.safe_load((ROOT / "deploy" / "rayjob.yaml").read_text())
    locked = re.search(r"^ray==([\d.]+)", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE)
    assert locked is not None
    assert job["kind"] == "RayJob"
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == locked[1]
