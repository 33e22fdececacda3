"""A driver on a Ray of its own, killed at any moment: nothing is left of it, and the run goes on to the same bytes."""

import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workers.programs import end, run, start
from tests.workers.ray_runtime.long_run import TRAIN, check, go_on_locally, wait_for_steps
from tests.workers.ray_runtime.processes import with_environment

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

ON_RAY = ["--runtime", "ray", "--workers", "2", "--augmenters", "1"]
GONE = 15.0  # seconds after which nothing of a Ray may be left
Check = Callable[[], None]


def shared_memory() -> set[str]:
    """Files in shared memory; there are none where the system has no such folder."""
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Checks that nothing is left of what was started since: no process, no file in shared memory."""
    mark = f"CHECKED_RUN={uuid.uuid4().hex}"
    monkeypatch.setenv(*mark.split("="))
    files = shared_memory()

    def check() -> None:
        until, stays = time.monotonic() + GONE, shared_memory() - files
        while (left := with_environment(mark)) or stays:
            if time.monotonic() > until:
                raise AssertionError((left, stays))
            time.sleep(0.1)
            stays &= shared_memory()  # what other programs of this machine make meanwhile is not ours

    return check


@pytest.mark.parametrize(("again", "steps"), [("train", 200), ("resume", 600)])
def test_a_killed_driver(tmp_path: Path, unbroken: Path, nothing_left: Check, again: str, steps: int) -> None:
    folder = tmp_path / "run"
    command = [*TRAIN, *ON_RAY, "--out", str(folder)]
    driver = start(*command)
    wait_for_steps(folder / "metrics.jsonl", steps)
    code, output = end(driver, 0, signal.SIGKILL)
    assert code == -signal.SIGKILL, output
    nothing_left()
    if again == "train":
        driver = start(*command)
        wait_for_steps(folder / "metrics.jsonl", steps + 100)  # beyond what the first one had made
        go_on_locally(driver, folder)
    else:
        run("resume", str(folder))
    check(folder, unbroken)
    nothing_left()


def test_a_run_ends_soon_after_its_last_step(tmp_path: Path, nothing_left: Check) -> None:
    command = [*TRAIN, *ON_RAY, "--out", str(tmp_path / "run")]
    command[command.index("700")] = "20"
    driver = start(*command)
    wait_for_steps(tmp_path / "run" / "metrics.jsonl", 40)
    code, output = end(driver, GONE)
    assert code == 0, output
    nothing_left()
