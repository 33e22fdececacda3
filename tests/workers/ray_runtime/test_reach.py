"""Clusters that cannot be joined: each refusal comes within seconds and says what, and what to do."""

import json
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.errors import DeadlineError, UsageError
from tests.workers.ray_runtime.head import Head, free_ports

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]
TRAIN = ["train", "--json", "--runtime", "ray", "--workers", "1", "--epochs", "1"]
SOON = 60.0  # seconds, on a machine that has other work; Ray alone tries for more than 120


def refusal(cluster: Head, address: str, **variables: str) -> dict[str, str]:
    """What a run says that cannot join a cluster."""
    began = time.monotonic()
    done = cluster.millrace(*TRAIN, "--address", address, seconds=200, **variables)
    assert time.monotonic() - began < SOON
    assert done.returncode in (1, 2), done.stderr
    said: dict[str, str] = json.loads(done.stderr.splitlines()[-1])
    return said


METADATA = """
import json, sys
from ray._raylet import GcsClient
client, key, space = GcsClient(address=sys.argv[1]), b"CLUSTER_METADATA", b"cluster"
print(client.internal_kv_get(key, space).decode())
if len(sys.argv) > 2:
    client.internal_kv_put(key, sys.argv[2].encode(), True, space)
"""


def metadata(cluster: Head, new: dict[str, str] | None = None) -> dict[str, str]:
    """What the cluster has recorded of its versions; `new` is written over it."""
    command = [sys.executable, "-c", METADATA, cluster.address, *([json.dumps(new)] if new else [])]
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, check=True, timeout=60)
    recorded: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return recorded


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where somebody listens who never answers."""
    with socket.socket() as listener:
        listener.bind(("", 0))  # Ray asks the network's address of this machine where the loopback's is named
        listener.listen(8)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_nobody_listens(cluster: Head) -> None:
    said = refusal(cluster, f"127.0.0.1:{free_ports(1)[0]}")
    assert "is not there" in said["error"]
    assert "refused" in said["got"]
    assert "ray start --head" in said["do"]


def test_somebody_listens_and_never_answers(cluster: Head, silent: str) -> None:
    said = refusal(cluster, silent)
    assert said["error"] == f"the Ray cluster at {silent} does not answer"
    assert said["kind"] == "DeadlineError"
    assert "firewall" in said["do"]


@pytest.mark.parametrize(("address", "word"), [("foo", "Invalid"), ("ray://127.0.0.1:10001", "ray://")])
def test_what_is_no_address(cluster: Head, address: str, word: str) -> None:
    said = refusal(cluster, address)
    assert address in said["error"]
    assert word in said["got"]
    assert said["expected"] == "auto or HOST:PORT"


@pytest.mark.parametrize("token", [None, "0" * 64])
def test_no_token_or_a_strangers(cluster: Head, tmp_path: Path, token: str | None) -> None:
    if token is not None:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text(token)
    said = refusal(cluster, cluster.address, HOME=str(tmp_path), RAY_AUTH_MODE="")
    assert "token" in said["error"]
    assert "missing or incorrect" in said["got"]
    assert "auth_token" in said["do"]


def test_a_cluster_of_other_versions(cluster: Head) -> None:
    ray = pytest.importorskip("ray")
    recorded = metadata(cluster)
    assert recorded["ray_version"] == ray.__version__
    metadata(cluster, recorded | {"ray_version": "2.7.0", "python_version": "3.11.0"})
    try:
        said = refusal(cluster, cluster.address)
    finally:
        metadata(cluster, recorded)
    assert said["expected"] == f"Ray {ray.__version__} and Python {platform.python_version()}, as here"
    assert said["got"] == "Ray 2.7.0 and Python 3.11.0 on the cluster"
    assert "requirements/run.txt" in said["do"]


@pytest.mark.usefixtures("shared_ray")
def test_too_few_cpus() -> None:
    from millrace.workers.ray_runtime.capacity import check_capacity
    from millrace.workers.ray_runtime.cluster import check_memory

    check_capacity(8, deadline=10.0)
    with pytest.raises(DeadlineError) as caught:
        check_capacity(9, deadline=0.5)
    assert caught.value.what == "the cluster has too few free CPUs"
    assert str(caught.value.expected).startswith("9 within 0.5 s")
    assert caught.value.got == "8 free of 8"
    check_memory(500 << 20)
    with pytest.raises(UsageError, match="too small: it would spill to disk") as small:
        check_memory(513 << 20)
    assert (small.value.expected, small.value.got) == ("at least 513 MiB", "512 MiB")
