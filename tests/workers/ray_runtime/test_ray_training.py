"""Training on a real Ray ends in the bytes of local mode: any number of actors, any kill."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace import datasets
from millrace.model.options import NetworkOptions
from millrace.runs import StageLine, read_lines
from millrace.runs.folder import RunFolder
from millrace.runs.stages import STAGES
from millrace.workers.events import Event, Observer, StepDone
from millrace.workers.job import Job, Place
from millrace.workers.local_training import train
from millrace.workers.parameter_server import ServerState
from millrace.workers.setup import Setup
from tests.formats.trace_reader import read
from tests.workers.ray_runtime.processes import descendants
from tests.workers.ray_runtime.waiting import wait_for

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]
Kill = Callable[[str], bool]


def job(epochs: int = 2, batch: int = 500, validation: int = 100, hidden: tuple[int, ...] = (64, 32)) -> Job:
    return Job(
        "digits",
        epochs,
        batch,
        seed=7,
        network=NetworkOptions(hidden=hidden),
        slot_size=70,
        validation=validation,
    )


def ignore(event: Event) -> None:
    return None


def new_folder(path: Path) -> RunFolder:
    folder = RunFolder.create(path, "seed: 7\n")
    folder.own()
    return folder


def local_bytes(path: Path, work: Job) -> bytes:
    folder = new_folder(path)
    data = datasets.load(datasets.find("digits"))
    train(Setup(work, data), Place(workers=1), folder, ignore, threading.Event())
    folder.release()
    return final_bytes(folder)


def final_bytes(folder: RunFolder) -> bytes:
    checkpoint = folder.latest()
    assert checkpoint is not None
    return checkpoint.weights.tobytes() + b"".join(checkpoint.optimizer[name].tobytes() for name in ("s", "r"))


def on_ray(
    path: Path, work: Job, observer: Observer = ignore, stop: threading.Event | None = None, **place: object
) -> RunFolder:
    from millrace.workers.ray_runtime.session import session

    folder = RunFolder(path) if RunFolder.is_run(path) else RunFolder.create(path, "seed: 7\n")
    folder.own()
    where = Place(runtime="ray", checkpoint_every=0.5, **place)  # type: ignore[arg-type]
    with session(work, where) as ray:
        ray.train(folder, observer, stop or threading.Event(), folder.latest())
    folder.release()
    return folder


def check_trace(path: Path, **counts: int) -> None:
    """Each actor has its row, and all have one time: who computes does so before the server moves, who moves before the
    trainer ends."""
    threads = read(path.read_bytes())
    wanted = {"server": 1, "trainer": 1, **counts}
    # Who comes when the others are done has done nothing.
    assert set(threads) <= {(role, f"{role} {k}") for role, count in wanted.items() for k in range(count)}
    assert {"worker", "server", "trainer"} <= {role for role, _ in threads}
    computed, moved = (
        [one for found in threads.values() for one in found if one.name == STAGES[name]]
        for name in ("compute", "update")
    )
    first, last = min(one.end for one in computed), max(one.end for one in computed)
    assert first <= min(one.begin for one in moved)
    assert last <= max(one.end for one in moved) <= max(one.end for one in threads["trainer", "trainer 0"])


@pytest.mark.usefixtures("shared_ray")
def test_a_worker_whose_node_was_not_asked_for_yet_is_in_the_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from millrace.workers.ray_runtime.actors import Actors

    stop = Actors.stop

    def forgetting(actors: Actors, seconds: float) -> None:
        stop(actors, seconds)
        for worker in actors._workers.values():
            worker.node = ""

    monkeypatch.setattr(Actors, "stop", forgetting)
    trace = tmp_path / "trace.json"
    on_ray(tmp_path / "ray", job(), workers=1, augmenters=1, trace=str(trace))
    check_trace(trace, worker=1, augmenter=1)


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize(
    ("workers", "augmenters"), [pytest.param(2, 1, marks=pytest.mark.ray_smoke), (1, 1), (3, 2), (4, 0)]
)
def test_the_same_bytes_as_local_mode(tmp_path: Path, workers: int, augmenters: int) -> None:
    work = job()
    expected = local_bytes(tmp_path / "local", work)
    trace = tmp_path / "trace.json"
    folder = on_ray(tmp_path / "ray", work, workers=workers, augmenters=augmenters, trace=str(trace))
    assert final_bytes(folder) == expected
    check_trace(trace, worker=workers, augmenter=augmenters)
    # Where the time went came with what the actors say anyway.
    stages = {
        (role, name)
        for line in map(StageLine.of, read_lines(folder.stages))
        for role, time in (line.roles if line else {}).items()
        for name in time.stages
    }
    assert {("worker", "compute"), ("server", "update"), ("trainer", "checkpoint")} <= stages
    steps = [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()]
    assert steps == list(range(len(steps)))


class Killer:
    """Kills one actor of each kind in turn whenever some steps were made since the last kill."""

    def __init__(self, kill: Kill, kinds: list[str], every: int) -> None:
        self._kill, self._kinds, self._every, self._next = kill, kinds, every, every
        self.killed: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepDone) and event.step >= self._next and self._kinds:
            self._next = event.step + self._every
            if self._kill(self._kinds[0]):
                self.killed.append(self._kinds.pop(0))


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize("kind", ["WorkerActor", "AugmenterActor", "ServerActor"])
def test_a_killed_actor_changes_no_byte(tmp_path: Path, kill: Kill, kind: str) -> None:
    work = job(epochs=150)
    expected = local_bytes(tmp_path / "local", work)
    killer = Killer(kill, [kind], every=60)
    folder = on_ray(tmp_path / "ray", work, killer, workers=2, augmenters=1)
    assert killer.killed == [kind]
    assert final_bytes(folder) == expected
    if kind != "AugmenterActor":
        incidents = [json.loads(line) for line in folder.incidents.read_text().splitlines()]
        assert any("lost" in incident["kind"] for incident in incidents)
    steps = [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()]
    assert steps == list(range(work.epochs * 3))


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize("which", ["validation", "end"])
def test_a_server_killed_when_the_workers_have_ended_changes_no_byte(
    tmp_path: Path, kill: Kill, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """No step is left to do, but for those since the checkpoint that the server begins again at."""
    from millrace.workers.ray_runtime.runtime import RayRuntime

    work, killed, snapshot = job(epochs=20), list[bool](), RayRuntime.snapshot
    last = 0

    def killing(runtime: RayRuntime) -> ServerState:
        nonlocal last
        if runtime._next == work.epochs * 3:
            last += 1
            if last == (1 if which == "validation" else 2):
                wait_for(lambda: not descendants("ray::WorkerActor.run"), "the end of the workers", 30)
                killed.append(kill("ServerActor"))
        return snapshot(runtime)

    monkeypatch.setattr(RayRuntime, "snapshot", killing)
    folder = on_ray(tmp_path / "ray", work, workers=2, augmenters=0)
    assert killed == [True]
    incidents = [json.loads(line)["kind"] for line in folder.incidents.read_text().splitlines()]
    assert "parameter server lost" in incidents
    assert final_bytes(folder) == local_bytes(tmp_path / "local", work)
