"""A node whose BLAS computes other bits: its actors are refused, or admitted by --mixed-cpus, and the run says so."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workers.programs import run
from tests.workers.ray_runtime.long_run import TRAIN, trained
from tests.workers.ray_runtime.nodes import Nodes, several_nodes
from tests.workers.runs import lines

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

# OpenBLAS takes the kernels of an old kind of core, which add in another order.
OTHER = {"OPENBLAS_CORETYPE": "Prescott"}
SHORT = [*TRAIN, "--epochs", "10"]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with several_nodes(3) as found:
        found.add(2, OTHER)
        yield found


def train(nodes: Nodes, folder: Path, *more: str) -> list[dict[str, Any]]:
    """The incidents of a run with a worker on each node."""
    run(*SHORT, "--runtime", "ray", "--address", nodes.address, "--workers", "2", "--out", str(folder), *more)
    return lines(folder / "incidents.jsonl")


def test_actors_with_another_environment_are_refused(tmp_path: Path, nodes: Nodes) -> None:
    incidents = train(nodes, tmp_path / "run")
    run(*SHORT, "--out", str(tmp_path / "local"), "--workers", "1")
    assert trained(tmp_path / "run") == trained(tmp_path / "local")
    refused = [line for line in incidents if "refused" in line["kind"]]
    # The server begins away from the driver, so on the other node; it goes back to the driver's.
    assert [line["kind"] for line in refused] == ["parameter server refused", "worker refused"]
    assert {line["node"] for line in refused} == {nodes.others[0].id}
    assert all("core: Prescott, not " in line["cause"] for line in refused)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["reproducible"] is True


def test_mixed_cpus_admits_them_and_the_run_says_so(tmp_path: Path, nodes: Nodes) -> None:
    incidents = train(nodes, tmp_path / "run", "--mixed-cpus")
    admitted = [line for line in incidents if line["kind"] == "another environment admitted"]
    assert {line["who"] for line in admitted} >= {"server"}
    assert len(admitted) == 2
    assert all("core: Prescott, not " in line["cause"] for line in admitted)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["reproducible"] is False
    assert "not reproducible" in run("audit", str(tmp_path / "run"))
