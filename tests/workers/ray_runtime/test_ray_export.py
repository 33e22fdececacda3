"""An export by Ray actors has the bytes of one by threads, for any number of actors and after a kill."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import millrace

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


def export(out: Path, *flags: str) -> dict[str, bytes]:
    command = ["export", "digits", "--epochs", "2", "--shard-rows", "200", "--out", str(out), *flags]
    assert millrace.main(command) == 0
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("shared_ray")
def test_the_same_files_for_any_number_of_actors(tmp_path: Path) -> None:
    expected = export(tmp_path / "threads")
    for actors in ("1", "3"):
        assert export(tmp_path / actors, "--runtime", "ray", "--workers", actors) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
def test_a_killed_actor_leaves_nothing_torn(tmp_path: Path, kill: Callable[[str], bool]) -> None:
    expected = export(tmp_path / "threads", "--format", "imagefolder")
    killed: list[bool] = []

    def killer() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and not killed:
            time.sleep(0.2)
            if any((tmp_path / "ray").rglob("*.png")) and kill("ShardActor"):
                killed.append(True)

    thread = threading.Thread(target=killer)
    thread.start()
    found = export(tmp_path / "ray", "--format", "imagefolder", "--runtime", "ray", "--workers", "2")
    thread.join(90)
    assert killed
    assert found == expected
