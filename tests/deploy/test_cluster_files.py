"""cluster.yaml and its blocks against Ray's own schema; the KubeRay file against the versions that are locked here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "cluster.yaml").read_text()
PLACES = ["machines of your own", "Google Cloud", "Azure"]
OF_THE_CLOUDS = ("available_node_types", "head_node_type")


def cluster() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TEXT)
    return loaded


def block(place: str) -> dict[str, Any]:
    """The keys of a place's block, uncommented."""
    [found] = re.findall(rf"^# --- {place}.*-$\n((?:# .*\n)+)", TEXT + "\n", re.MULTILINE)
    loaded: dict[str, Any] = yaml.safe_load("\n".join(line[2:] for line in found.splitlines()))
    return loaded


def elsewhere(place: str) -> dict[str, Any]:
    """cluster.yaml with a place's block put over its keys."""
    base = cluster()
    if place == PLACES[0]:
        base = {key: value for key, value in base.items() if key not in OF_THE_CLOUDS}
    return base | block(place)


@pytest.mark.ray
@pytest.mark.parametrize("place", ["as it stands", *PLACES])
def test_ray_takes_the_cluster_file(place: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(cluster() if place == "as it stands" else elsewhere(place))
    validate_config(prepared)
    kinds = {"as it stands": "aws", PLACES[0]: "local", PLACES[1]: "gcp", PLACES[2]: "azure"}
    assert prepared["provider"]["type"] == kinds[place]
    assert sum(kind.get("max_workers", 0) for kind in prepared["available_node_types"].values()) >= 2


@pytest.mark.ray
def test_ray_refuses_a_cluster_file_with_a_slip() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(jsonschema.ValidationError, match="idle_timeout"):
        validate_config(prepare_config(cluster() | {"idle_timeout": 5}))


@pytest.mark.parametrize("place", PLACES)
def test_a_block_changes_the_place_alone(place: str) -> None:
    found = block(place)
    assert (
        {"provider", "auth"}
        <= found.keys()
        <= {"provider", "auth", "available_node_types", *("min_workers", "max_workers")}
    )
    if place == PLACES[0]:
        assert found["min_workers"] == found["max_workers"] == len(found["provider"]["worker_ips"])
    else:
        assert found["available_node_types"].keys() == cluster()["available_node_types"].keys()


def test_nodes_install_from_the_lock_and_the_dashboard_stays_at_home() -> None:
    config = cluster()
    assert any("--require-hashes -r ~/millrace/requirements/run.txt" in line for line in config["setup_commands"])
    assert any("--dashboard-host=127.0.0.1" in line for line in config["head_start_ray_commands"])
    worker = config["available_node_types"]["worker"]
    assert worker["max_workers"] > worker["min_workers"]  # what a run asks for beyond comes and goes
    assert any("--autoscaling-config=" in line for line in config["head_start_ray_commands"])


def test_every_node_has_the_token_and_starts_with_it_alone() -> None:
    config = cluster()
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    for name in ("head_start_ray_commands", "worker_start_ray_commands"):
        [start] = [line for line in config[name] if "ray start" in line]
        assert start.index("RAY_AUTH_MODE=token") < start.index("ray start")


def test_the_job_file_names_the_locked_ray_and_asks_for_the_token() -> None:
    job = yaml.safe_load((ROOT / "deploy" / "rayjob.yaml").read_text())
    locked = re.search(r"^ray==([\d.]+)", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE)
    assert locked is not None
    assert job["kind"] == "RayJob"
    spec = job["spec"]["rayClusterSpec"]
    assert spec["rayVersion"] == locked[1]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["enableInTreeAutoscaling"] is True
    [group] = spec["workerGroupSpecs"]
    assert group["minReplicas"] <= group["replicas"] < group["maxReplicas"]
    volumes = [spec["headGroupSpec"]["template"], group["template"]]
    assert all(pod["spec"]["volumes"][0]["persistentVolumeClaim"] for pod in volumes)
    assert "--out /runs/" in job["spec"]["entrypoint"]
