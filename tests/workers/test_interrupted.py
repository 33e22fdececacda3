"""Runs as programs of their own, stopped by signals and killed at any moment: they end in the same bits."""

import random
import signal
import time
from pathlib import Path

import pytest

from millrace.runs.folder import RunFolder
from tests.workers.programs import end, run, start
from tests.workers.runs import lines, optimizer, weights

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TRAIN = ["train", "--network.hidden", "256", "64", "--epochs", "120", "--batch", "64", "--slot-size", "16"]
TRAIN += ["--validation", "137", "--seed", "5"]
OFTEN = ("--checkpoint-every", "0.02")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    run(*TRAIN, "--out", str(folder), "--workers", "1")
    return folder


def check(folder: Path, unbroken: Path) -> None:
    """Weights and optimizer to the bit; each step and each epoch stands once, with the same measures."""
    assert weights(folder) == weights(unbroken)
    assert optimizer(folder) == optimizer(unbroken)
    for name, keys in (
        ("metrics.jsonl", ("step", "epoch", "loss", "accuracy", "rate")),
        ("epochs.jsonl", ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "ledger")),
    ):
        ours, theirs = lines(folder / name), lines(unbroken / name)
        assert [[line[key] for key in keys] for line in ours] == [[line[key] for key in keys] for line in theirs]


def wait_for(metrics: Path, steps: int) -> None:
    """Until so many steps of 2,520 have been written down."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if metrics.exists() and metrics.read_bytes().count(b"\n") >= steps:
            return
        time.sleep(0.005)
    raise TimeoutError(metrics)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal_twice(tmp_path: Path, unbroken: Path, number: signal.Signals, code: int) -> None:
    folder = tmp_path / "run"
    command = [*TRAIN, "--out", str(folder)]
    for steps in (300, 1200):
        process = start(*command)
        wait_for(folder / "metrics.jsonl", steps)
        process.send_signal(number)
        found, output = end(process, 60)
        assert found == code, output
        assert "millrace resume" in output
        assert not RunFolder.open(folder).finished
        command = ["resume", str(folder)]
    run(*command)
    check(folder, unbroken)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment(tmp_path: Path, unbroken: Path, seed: int) -> None:
    folder, moments = tmp_path / "run", random.Random(seed)
    kills = 0
    for _ in range(6):
        # Again by `train` itself, since a process that is killed early has not made its folder yet.
        command = [*TRAIN, "--out", str(folder), *OFTEN, "--workers", str(moments.randint(1, 4))]
        code, output = end(start(*command), moments.uniform(0.5, 3.0), signal.SIGKILL)
        assert code in (0, -signal.SIGKILL), output
        kills += code != 0
    # On a busy machine all of them may have been killed too early to make a folder.
    run(*(("resume", str(folder)) if RunFolder.is_run(folder) else (*TRAIN, "--out", str(folder))), *OFTEN)
    assert kills
    check(folder, unbroken)


def test_a_stale_run_that_is_killed_at_any_moment_and_its_replay(tmp_path: Path) -> None:
    folder, moments = tmp_path / "run", random.Random(0)
    command = [*TRAIN, "--epochs", "40", "--out", str(folder), *OFTEN, "--staleness", "unbounded", "--workers", "4"]
    for steps in (40, 400):
        process = start(*command)
        wait_for(folder / "metrics.jsonl", steps)
        code, output = end(process, moments.uniform(0.0, 0.2), signal.SIGKILL)
        assert code in (0, -signal.SIGKILL), output
    run(*command)
    assert [line["step"] for line in lines(folder / "metrics.jsonl")] == list(range(840))
    assert "missing 0, repeated 0" in run("audit", str(folder))
    assert "840 steps again: the same bytes" in run("replay", str(folder))
