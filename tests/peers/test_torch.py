"""`.torch()` with PyTorch itself, Lightning and Accelerate: each check is a program in their environment."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.peers.environment import has, needed, run

pytestmark = [pytest.mark.slow, needed, pytest.mark.timeout(600)]
PROGRAMS = Path(__file__).with_name("torch_programs.py")


@pytest.mark.parametrize("check", ["tensors", "device", "saved", "workers"])
def test_what_torch_promises(check: str, tmp_path: Path) -> None:
    assert run(PROGRAMS, check, tmp_path, folder=tmp_path).endswith("good\n")


@pytest.mark.parametrize(("check", "module"), [("lightning", "lightning"), ("accelerated", "accelerate")])
def test_their_own_checkpoints_keep_the_loaders_place(check: str, module: str, tmp_path: Path) -> None:
    if not has(module):
        pytest.skip(f"{module} is not installed: make peers")
    assert run(PROGRAMS, check, tmp_path, folder=tmp_path).endswith("good\n")


def test_two_processes_and_three_end_in_the_loss_and_the_weights_of_one(tmp_path: Path) -> None:
    for world in (1, 2, 3):
        with ThreadPoolExecutor(world) as pool:
            running = [
                pool.submit(run, PROGRAMS, "rank", tmp_path, str(rank), str(world), folder=tmp_path)
                for rank in range(world)
            ]
        assert [ended.result() for ended in running] == ["good\n"] * world
    one, *others = (json.loads((tmp_path / f"world-{world}.json").read_text()) for world in (1, 2, 3))
    for other in others:
        assert other["losses"] == pytest.approx(one["losses"], rel=1e-5)
        assert other["weights"] == pytest.approx(one["weights"], rel=1e-5, abs=1e-6)
        assert other["counts"] == one["counts"] == [1.0] * 33
    assert len(one["losses"]) == 15
