"""Memory stays flat: what `millrace train` holds after epoch 100 is what it held after epoch 5."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.programs import ROOT

TRAIN = ["train", "--json", "--epochs", "101", "--validation", "137", "--read-ahead", "4", "--checkpoint-every", "0.5"]


def resident(process: int) -> int:
    """Resident memory in pages."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("augmenters", ["0", "1"])
def test_memory_is_flat_over_a_hundred_epochs(
    tmp_path: Path, augmenters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pages: dict[int, int] = {}
    command = [sys.executable, "-m", "millrace", *TRAIN, "--augmenters", augmenters, "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            record = json.loads(line)
            if record["event"] == "epoch" and record["epoch"] + 1 in (5, 100):
                pages[record["epoch"] + 1] = resident(process.pid)
        assert process.wait(60) == 0
    with capsys.disabled():
        print(f"\n[resident: {pages[5]} pages after epoch 5, {pages[100]} after epoch 100]", end=" ")  # noqa: T201
    assert abs(pages[100] / pages[5] - 1) <= 0.02
