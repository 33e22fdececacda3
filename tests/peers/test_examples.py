"""The examples of every framework run as they are printed, learn, and keep what they say about stopping and ranks."""

import re
from pathlib import Path

import pytest

from tests.peers.environment import ROOT, has, needed, run

pytestmark = [pytest.mark.slow, needed, pytest.mark.timeout(600)]
EXAMPLES = ROOT / "examples"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def accuracy(said: str) -> float:
    """The figure of the line that every example ends with; all test samples were counted, each once."""
    found = re.search(r"accuracy (\d\.\d+) on (\d+) samples", said)
    assert found, said
    assert found[2] == "360"
    return float(found[1])


def weights(said: str) -> float:
    found = re.search(r"sum of weights (-?\d+\.\d+)", said)
    assert found, said
    return float(found[1])


@pytest.mark.parametrize("name", ["jax", "keras"])
def test_an_example_learns(tmp_path: Path, name: str) -> None:
    if not has(name):
        pytest.skip(f"{name} is not installed in the frameworks' environment")
    assert accuracy(run(EXAMPLES / f"with_{name}.py", "--epochs", "8", folder=tmp_path)) > 0.85


def test_pytorch_goes_on_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    script = EXAMPLES / "with_pytorch.py"
    whole = run(script, "--epochs", "6", "--checkpoint", "whole.pt", folder=tmp_path)
    assert accuracy(whole) > 0.85
    for stop in ("5", "20", "8"):  # of 12 steps an epoch: three stops
        run(script, "--epochs", "6", "--checkpoint", "parts.pt", "--stop-after", stop, folder=tmp_path)
    parts = run(script, "--epochs", "6", "--checkpoint", "parts.pt", folder=tmp_path)
    assert "goes on at step 33" in parts
    assert weights(parts) == weights(whole)


def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    """Up to the order of sums: the gradient of two ranks is that of one, also in the epoch's short last step."""
    script = EXAMPLES / "with_pytorch.py"
    one = run(script, "--epochs", "4", "--checkpoint", "one.pt", folder=tmp_path)
    two = run(*TORCHRUN, script, "--epochs", "4", "--checkpoint", "two.pt", folder=tmp_path)
    assert accuracy(two) == pytest.approx(accuracy(one), abs=0.006)  # two images
    assert weights(two) == pytest.approx(weights(one), rel=1e-3)


@pytest.mark.skipif(not has("lightning"), reason="Lightning is not installed in the frameworks' environment")
def test_lightning_resumes_with_the_streams_place_in_its_checkpoint(tmp_path: Path) -> None:
    script = EXAMPLES / "with_lightning.py"
    whole = run(script, "--epochs", "4", "--folder", "whole", folder=tmp_path)
    assert accuracy(whole) > 0.8
    run(script, "--epochs", "4", "--folder", "parts", "--steps", "17", folder=tmp_path)
    parts = run(script, "--epochs", "4", "--folder", "more", "--resume", "parts/last.ckpt", folder=tmp_path)
    assert weights(parts) == weights(whole)
