"""One training that lasts long enough for kills, losses and growth in the middle of it, and what must come of it."""

import signal
from pathlib import Path

from millrace.runs.folder import RunFolder
from tests.workers.programs import Program, end, run
from tests.workers.ray_runtime.waiting import wait_for
from tests.workers.runs import lines, optimizer, weights

STEPS = 1400  # 700 epochs of two steps, of 15 slots and of 5
TRAIN = ["train", "--network.hidden", "256", "128", "--batch", "1000", "--slot-size", "70", "--validation", "100"]
TRAIN += ["--seed", "7", "--epochs", "700", "--checkpoint-every", "0.5"]


def trained(folder: Path) -> tuple[bytes, bytes, list[tuple[object, ...]]]:
    """Weights, optimizer, and each epoch's count and digest of what was trained on."""
    epochs: list[tuple[object, ...]] = [
        (line["epoch"], line["samples"], line["ledger"]) for line in lines(RunFolder(folder).epochs)
    ]
    return weights(folder), optimizer(folder), epochs


def wait_for_steps(metrics: Path, steps: int, seconds: float = 120) -> None:
    """Until so many steps have been written down; TimeoutError after so many seconds."""
    wait_for(lambda: metrics.exists() and metrics.read_bytes().count(b"\n") >= steps, f"{steps} steps", seconds)


def go_on_locally(driver: Program, folder: Path, steps: int = 50) -> None:
    """So many steps more where the run is, then stopped by a signal and brought to its end in local mode: seconds
    instead of the minutes that nodes of one machine take for a thousand steps."""
    metrics = folder / "metrics.jsonl"
    wait_for_steps(metrics, metrics.read_bytes().count(b"\n") + steps, 240)
    code, output = end(driver, 0, signal.SIGTERM)
    assert code == 143, (code, output)
    assert f"millrace resume {folder}" in output
    run("resume", str(folder), "--runtime", "local")


def check(folder: Path, unbroken: Path, survived: str = "") -> None:
    """The bytes of the unbroken run, each step once, and an audit that finds nothing missing."""
    assert trained(folder) == trained(unbroken)
    assert [line["step"] for line in lines(folder / "metrics.jsonl")] == list(range(STEPS))
    report = run("audit", str(folder))
    assert "missing 0, repeated 0" in report
    assert survived in report
