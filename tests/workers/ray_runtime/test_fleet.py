"""Servers of a fleet that fail before they serve, and what is waited for at its end."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millrace.datasets import DatasetSpec
from millrace.datasets.arrays import Arrays
from millrace.datasets.table import in_memory
from millrace.errors import DeadlineError, MillraceError

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]


class Fragile:
    """A server whose process is lost or hangs at its first starts; which, and how often, its folder's name says."""

    def __init__(self, dataset: object, folder: Path) -> None:
        self._folder = folder

    def start(self) -> tuple[str, str | None]:
        starts = len(list(self._folder.iterdir()))
        (self._folder / str(starts)).touch()
        fault, times = self._folder.name.split("-")
        if starts < int(times):
            os.kill(os.getpid(), signal.SIGKILL) if fault == "lost" else time.sleep(600)
        return "grpc://127.0.0.1:1", None

    def tend(self, endpoints: tuple[str, ...]) -> dict[str, Any]:
        return {}

    def drain(self, patience: float) -> None:
        (self._folder / "drained").touch()


def fleet(folder: Path, note: Callable[[str], None] = lambda text: None) -> Any:
    from millrace.workers.ray_runtime.fleet import Fleet

    images, labels = np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.uint8)
    dataset = in_memory(Arrays(images, labels, images, labels), DatasetSpec("small", "", "embedded", ("a", "b")))
    folder.mkdir()
    return Fleet(Fragile, dataset, folder, lambda *_: (), only=None, note=note)


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
def test_what_ray_fails_by_is_tried_again(tmp_path: Path) -> None:
    from ray.util.placement_group import placement_group, remove_placement_group

    with fleet(tmp_path / "lost-1") as lucky:
        lucky.begin(lambda: False)
        assert lucky.endpoints == ("grpc://127.0.0.1:1",)
        taken = placement_group([{"CPU": 7}])
        taken.wait(20)
        with fleet(tmp_path / "lost-0") as waiting:
            waiting._look()  # its server has no CPU, so it has no clients to wait for
            began = time.monotonic()
            waiting.drain(10.0)
            assert time.monotonic() - began < 5
        remove_placement_group(taken)
        lucky.drain(10.0)
        assert (tmp_path / "lost-1" / "drained").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
def test_a_start_that_does_not_end_is_given_up_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from millrace.workers.ray_runtime import fleet as fleets

    monkeypatch.setattr(fleets, "HUNG", 1.0)
    monkeypatch.setattr(fleets, "SLOW", 0.5)
    told: list[str] = []
    with fleet(tmp_path / "hangs-1", told.append) as hanging:
        hanging._begun = True  # what is told later is told now
        until = time.monotonic() + 60
        while not hanging.endpoints and time.monotonic() < until:
            hanging.look()
            time.sleep(0.05)
        assert hanging.endpoints == ("grpc://127.0.0.1:1",)
    told = [re.sub("[0-9a-f]{8}", "NODE", text) for text in told if "waits for a free CPU" not in text]
    assert told[0] == "the server on node NODE starts: the data comes, or its kernels are compiled"
    assert re.fullmatch(r"no server could be started on node NODE: its start does not end: no answer for \d s", told[1])
    assert told[-1] == "a server answers at grpc://127.0.0.1:1 on node NODE"


def test_when_no_server_is_hoped_for() -> None:
    from ray.exceptions import ActorUnavailableError

    from millrace.workers.ray_runtime.posts import TRIES, Post, first_of

    lost, own = ActorUnavailableError("it was lost", None), MillraceError("the port is taken")
    passing, lasting = Post("one", "", error=lost, failures=TRIES - 1), Post("one", "", error=lost, failures=TRIES)
    refused, late = Post("two", "", error=own, failures=1), Post("two", "", error=DeadlineError("late"), failures=1)
    posts = Post("", ""), passing, late, lasting, refused
    assert [post.given_up for post in posts] == [False, False, False, True, True]
    assert first_of([lasting, refused]) is own
    assert "node one: " in str(first_of([lasting]))
