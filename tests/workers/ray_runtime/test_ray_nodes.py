"""Training on three nodes, between which arrays travel through the object store, ends in the bytes of local mode.

One node with as many actors: `test_ray_training`.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.workers.programs import end, run, start
from tests.workers.ray_runtime.long_run import trained
from tests.workers.ray_runtime.nodes import Nodes, several_nodes
from tests.workers.ray_runtime.waiting import wait_for
from tests.workers.runs import lines

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]

TRAIN = ["train", "--network.hidden", "64", "32", "--batch", "500", "--slot-size", "70", "--validation", "100"]
TRAIN += ["--seed", "7", "--epochs", "6"]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run in local mode, by how its sums are rounded."""

    @cache
    def made(wire: str) -> Path:
        folder = tmp_path_factory.mktemp("local") / "run"
        run(*TRAIN, "--wire", wire, "--out", str(folder), "--workers", "1")
        return folder

    return made


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with several_nodes(3, 2, 2) as found:
        yield found


@pytest.mark.parametrize(
    ("workers", "augmenters", "wire"), [(1, 1, "int8"), (2, 2, "float32"), (3, 1, "float32"), (4, 2, "bfloat16")]
)
def test_the_same_bytes_as_local_mode(
    tmp_path: Path, nodes: Nodes, local: Callable[[str], Path], workers: int, augmenters: int, wire: str
) -> None:
    place = ["--runtime", "ray", "--address", nodes.address]
    place += ["--workers", str(workers), "--augmenters", str(augmenters)]
    run(*TRAIN, *place, "--wire", wire, "--out", str(tmp_path / "run"), seconds=120)
    assert trained(tmp_path / "run") == trained(local(wire))


def test_a_stale_run_on_them_and_its_replay(tmp_path: Path, nodes: Nodes) -> None:
    place = ["--runtime", "ray", "--address", nodes.address, "--workers", "3", "--out", str(tmp_path / "run")]
    run(*TRAIN, *place, "--batch", "100", "--staleness", "3", "--wire", "int8", seconds=120)
    assert "missing 0, repeated 0" in run("audit", str(tmp_path / "run"))
    assert "the same bytes" in run("replay", str(tmp_path / "run"))


def test_the_weights_on_servers_of_which_one_is_lost_with_its_node(tmp_path: Path, nodes: Nodes) -> None:
    wide = [*TRAIN, "--network.hidden", "1000", "210", "--epochs", "100", "--checkpoint-every", "1"]
    run(*wide, "--out", str(tmp_path / "local"), "--workers", "2")
    folder = tmp_path / "run"
    place = ["--runtime", "ray", "--address", nodes.address, "--workers", "1", "--augmenters", "0", "--servers", "3"]
    driver = start(*wide, *place, "--out", str(folder))
    # The servers are on different nodes, the first two away from the driver's.
    lost = sorted(nodes.others, key=lambda node: node.id)[1]
    try:
        wait_for(lambda: (folder / "metrics.jsonl").exists() and len(lines(folder / "metrics.jsonl")) > 20, "steps")
        nodes.lose(lost)
        code, output = end(driver, 200)
    except BaseException as error:
        driver.kill()
        raise AssertionError(end(driver, 30)[1]) from error
    finally:
        nodes.add(lost.cpus)
    assert code == 0, output
    assert trained(folder) == trained(tmp_path / "local")
    incidents = [(line["kind"], line["who"], line["node"]) for line in lines(folder / "incidents.jsonl")]
    assert ("parameter server lost", "server-1", lost.id) in incidents
    assert "missing 0, repeated 0" in run("audit", str(folder))
