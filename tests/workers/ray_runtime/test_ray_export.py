"""An export by Ray actors has the bytes of one by threads, for any number of actors and nodes, and after a kill."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millrace.commands import main as command_line
from tests.workers.programs import run
from tests.workers.ray_runtime.nodes import Nodes, several_nodes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


def export(out: Path, *flags: str) -> dict[str, bytes]:
    command = ["export", "digits", "--epochs", "2", "--shard-rows", "200", "--out", str(out), *flags]
    assert command_line.main(command) == 0
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


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with several_nodes(1, 2, 2) as found:
        yield found


LONG = ["export", "digits", "--epochs", "60", "--shard-rows", "200", "--format", "webdataset"]


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("local") / "export"
    run(*LONG, "--out", str(folder))
    return files(folder)


@pytest.mark.slow
def test_the_same_files_by_three_nodes(tmp_path: Path, nodes: Nodes, expected: dict[str, bytes]) -> None:
    run(*LONG, "--out", str(tmp_path / "ray"), "--runtime", "ray", "--address", nodes.address, seconds=120)
    assert files(tmp_path / "ray") == expected


@pytest.mark.slow
def test_a_lost_node_is_survived(tmp_path: Path, nodes: Nodes, expected: dict[str, bytes]) -> None:
    lost: list[bool] = []

    def killer() -> None:
        until = time.monotonic() + 90
        while time.monotonic() < until and not lost:
            time.sleep(0.05)
            if len(list((tmp_path / "ray").glob("data/*.tar"))) > 20:
                nodes.lose(nodes.others[0])
                lost.append(not (tmp_path / "ray" / "manifest.json").exists())

    thread = threading.Thread(target=killer)
    thread.start()
    run(*LONG, "--out", str(tmp_path / "ray"), "--runtime", "ray", "--address", nodes.address, seconds=120)
    thread.join(90)
    assert lost == [True]
    assert files(tmp_path / "ray") == expected
