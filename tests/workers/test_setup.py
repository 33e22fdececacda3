import threading
from pathlib import Path
from typing import Any

import pytest

from millrace.pipeline.statistics import pixel_statistics
from millrace.workers import setup
from millrace.workers.job import Place
from tests.workers.runs import JOB, train


def test_pixel_statistics_are_computed_once_whatever_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # From Python 3.12 on a cached property has no lock: threads that meet in it would each pass over all pixels.
    threads = list[str]()

    def counted(*words: Any) -> Any:
        threads.append(threading.current_thread().name)
        return pixel_statistics(*words)

    monkeypatch.setattr(setup, "pixel_statistics", counted)
    train(tmp_path / "run", JOB, Place(workers=4))
    assert threads == [threading.current_thread().name]
