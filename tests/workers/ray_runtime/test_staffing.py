"""Who is replaced, and when a run is given up; the actors are made here."""

from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from millrace.errors import DeadlineError, TrainingError
from millrace.workers.ray_runtime import staffing
from millrace.workers.ray_runtime.messages import Status
from millrace.workers.ray_runtime.staffing import LOSSES, UNSTAFFED, Staff, Staffing


class Actors:
    """Workers that may be lost, many at once."""

    def __init__(self) -> None:
        self.worker_count, self.lost, self.augmenters = 0, 0, self

    def add_worker(self) -> str:
        self.worker_count += 1
        return f"worker-{self.worker_count}"

    def gone(self) -> list[tuple[str, str, Exception]]:
        lost, self.lost = self.lost, 0
        self.worker_count -= lost
        return [(f"worker-{number}", "node", ActorDiedError()) for number in range(lost)]

    def note(self, members: dict[str, str]) -> dict[str, str]:
        return {}

    def mapped(self) -> list[object]:
        return []

    def watch(self) -> list[object]:
        return []

    def fill(self, free: int) -> int:
        return 0

    def late_workers(self, after: float) -> list[str]:
        return []

    def patience(self) -> float:
        return 0.0

    workers = frozenset[str]()


def staffed(actors: Any, count: int) -> Staffing:
    made = Staffing(actors, Staff(count, count, 0), lambda *_: None, lambda name: None)
    made.begin()
    return made


def test_many_workers_lost_at_once_are_one_accident() -> None:
    actors = Actors()
    crew = staffed(actors, 2 * LOSSES)
    actors.lost = 2 * LOSSES
    crew.watch(0)
    assert actors.worker_count == 2 * LOSSES
    for _ in range(LOSSES - 1):
        actors.lost = 1
        crew.watch(0)
    actors.lost = 1
    with pytest.raises(TrainingError, match="again and again"):
        crew.watch(0)


def test_the_time_without_a_server_is_not_time_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("millrace.workers.ray_runtime.staffing.time.monotonic", lambda: now)
    monkeypatch.setattr(staffing, "resources", lambda which: {"CPU": 0.0})
    crew = staffed(Actors(), 1)
    nobody = Status("first", 0, [], 0.0, [], (), (), {}, 0, 0)
    now += UNSTAFFED - 1
    crew.wait_anew()  # the server is there again
    now += UNSTAFFED - 1
    crew.tend(nobody, 0)
    now += 2
    with pytest.raises(DeadlineError, match="no worker is at work"):
        crew.tend(nobody, 0)
