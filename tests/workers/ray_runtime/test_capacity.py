"""A cluster that grows on demand: Ray's own autoscaler with its fake provider, whose nodes are processes here."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.runs.folder import RunFolder
from tests.workers.ray_runtime.head import Head, head

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

LISTS = ["initialization_commands", "cluster_synced_files", "rsync_exclude", "rsync_filter"]
LISTS += [f"{kind}_commands" for kind in ("setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")]
HEAD_TYPE = "ray.head.default"  # the fake provider knows no other name
CLUSTER: dict[str, object] = {
    "cluster_name": "growing",
    "max_workers": 1,
    "upscaling_speed": 10,
    "idle_timeout_minutes": 1,
    "available_node_types": {
        HEAD_TYPE: {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
        "worker": {
            "resources": {"CPU": 3, "object_store_memory": 200 << 20},
            "node_config": {},
            "min_workers": 0,
            "max_workers": 1,
        },
    },
    "head_node_type": HEAD_TYPE,
    "auth": {},
    "docker": {},
    "file_mounts": {},
    **{name: [] for name in LISTS},
}


@pytest.fixture
def growing() -> Iterator[Head]:
    with head(cpus=1, autoscaling=CLUSTER) as running:
        yield running


def weights(folder: Path) -> bytes:
    checkpoint = RunFolder.open(folder).latest()
    assert checkpoint is not None
    return checkpoint.weights.tobytes()


def test_nodes_come_for_a_run_and_its_workers_grow_onto_them(growing: Head, tmp_path: Path) -> None:
    words = ["train", "--epochs", "60", "--slot-size", "32"]
    local = growing.millrace(*words, "--workers", "2", "--out", str(tmp_path / "local"), seconds=200)
    assert local.returncode == 0, local.stderr
    ray = ["--runtime", "ray", "--address", growing.address, "--workers", "1:3", "--augmenters", "0"]
    run = growing.millrace(*words, *ray, "--json", "--out", str(tmp_path / "ray"), seconds=200)
    assert run.returncode == 0, run.stderr
    assert weights(tmp_path / "ray") == weights(tmp_path / "local")
    lines = (tmp_path / "ray" / "incidents.jsonl").read_text().splitlines()
    joined = [incident for incident in map(json.loads, lines) if incident["kind"] == "worker joined"]
    assert len(joined) == 2  # the head has one CPU, the node that came three: the server's and the workers'
