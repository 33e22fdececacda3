"""Servers of a fleet that fail before they serve, and what is waited for at its end."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millrace.datasets import DatasetSpec
from millrace.datasets.arrays import Arrays
from millrace.datasets.table import in_memory
from millrace.errors import MillraceError

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]


class Fragile:
    """A server whose process is lost at its first starts; how often is what the name of its folder says."""

    def __init__(self, dataset: object, folder: Path) -> None:
        self._folder = folder

    def start(self) -> tuple[str, str | None]:
        starts = len(list(self._folder.iterdir()))
        (self._folder / str(starts)).touch()
        if starts < int(self._folder.name):
            os.kill(os.getpid(), signal.SIGKILL)
        return "grpc://127.0.0.1:1", None

    def tend(self, endpoints: tuple[str, ...]) -> dict[str, Any]:
        return {}

    def drain(self, patience: float) -> None:
        (self._folder / "drained").touch()


def fleet(folder: Path) -> Any:
    from millrace.workers.ray_runtime.fleet import Fleet

    images, labels = np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.uint8)
    dataset = in_memory(Arrays(images, labels, images, labels), DatasetSpec("small", "", "embedded", ("a", "b")))
    folder.mkdir()
    return Fleet(Fragile, dataset, folder, lambda *_: (), only=None, note=lambda text: None)


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
def test_what_ray_fails_by_is_tried_again(tmp_path: Path) -> None:
    from ray.util.placement_group import placement_group, remove_placement_group

    with fleet(tmp_path / "1") as lucky:
        lucky.begin(lambda: False)
        assert lucky.endpoints == ("grpc://127.0.0.1:1",)
        taken = placement_group([{"CPU": 7}])
        taken.wait(20)
        with fleet(tmp_path / "0") as waiting:
            waiting._look()  # its server has no CPU, so it has no clients to wait for
            began = time.monotonic()
            waiting.drain(10.0)
            assert time.monotonic() - began < 5
        remove_placement_group(taken)
        lucky.drain(10.0)
        assert (tmp_path / "1" / "drained").exists()


def test_when_no_server_is_hoped_for() -> None:
    from ray.exceptions import ActorUnavailableError

    from millrace.workers.ray_runtime.posts import TRIES, Post, first_of

    lost, own = ActorUnavailableError("it was lost", None), MillraceError("the port is taken")
    passing, lasting = Post("one", "", error=lost, failures=TRIES - 1), Post("one", "", error=lost, failures=TRIES)
    refused = Post("two", "", error=own, failures=1)
    assert [post.given_up for post in (Post("", ""), passing, lasting, refused)] == [False, False, True, True]
    assert first_of([lasting, refused]) is own
    assert "node one: " in str(first_of([lasting]))
