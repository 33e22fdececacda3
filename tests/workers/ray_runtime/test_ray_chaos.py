"""More than twenty kills in one run, some of two at once, and nodes that are lost and replaced: the same bytes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workers.programs import Program, end, start
from tests.workers.ray_runtime.chaos import ACTORS, Chaos
from tests.workers.ray_runtime.long_run import TRAIN, check, go_on_locally
from tests.workers.ray_runtime.nodes import Nodes, several_nodes

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

WORKER, AUGMENTER, SERVER = ACTORS
NODE = "node"


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with several_nodes(3, 2, 2) as found:
        yield found


@pytest.mark.parametrize("seed", [20])
def test_twenty_kills_change_no_byte(tmp_path: Path, unbroken: Path, seed: int) -> None:
    blows: list[tuple[str, ...]] = [(WORKER,), (AUGMENTER,), (SERVER,)] * 5
    blows += [(WORKER, AUGMENTER), (WORKER, SERVER), (AUGMENTER, SERVER), (WORKER, WORKER)]
    driver = start(*TRAIN, "--runtime", "ray", "--workers", "2", "--augmenters", "1", "--out", str(tmp_path / "run"))
    chaos = Chaos(tmp_path / "run", driver, driver.pid, blows, seed)
    finish(chaos, driver)
    assert min(chaos.killed[kind] for kind in ACTORS) >= 3
    assert chaos.killed.total() >= 20
    check(tmp_path / "run", unbroken, "parameter server lost")


@pytest.mark.parametrize("seed", [3])
def test_lost_nodes_change_no_byte(tmp_path: Path, nodes: Nodes, unbroken: Path, seed: int) -> None:
    place = ["--runtime", "ray", "--address", nodes.address, "--workers", "2"]
    driver = start(*TRAIN, *place, "--out", str(tmp_path / "run"))
    # The oldest of two nodes is lost each time, so each of them is lost and replaced three times.
    blows: list[tuple[str, ...]] = [(NODE,), (NODE,), (NODE, WORKER), (NODE, SERVER), (NODE,), (NODE,)]
    blows += [(WORKER,), (AUGMENTER,), (SERVER,)] * 3
    chaos = Chaos(tmp_path / "run", driver, os.getpid(), blows, seed, {NODE: nodes.replace_oldest})
    finish(chaos, driver, lambda: go_on_locally(driver, tmp_path / "run"))
    assert chaos.killed[NODE] == 6
    assert min(chaos.killed[kind] for kind in ACTORS) >= 3
    check(tmp_path / "run", unbroken, "worker lost")


def finish(chaos: Chaos, driver: Program, then: Callable[[], None] | None = None) -> None:
    """Rage, then let the run come to its end there, or do what comes instead."""
    try:
        chaos.rage()
        if then is None:
            code, output = end(driver, 240)
            assert code == 0, output
        else:
            then()
    except BaseException as error:
        driver.kill()
        raise AssertionError(f"{chaos.log}\n{end(driver, 30)[1]}") from error
