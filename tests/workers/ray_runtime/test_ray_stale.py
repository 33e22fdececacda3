"""A stale run on a real Ray, its actors killed: each batch once, and local threads have it again in the same bytes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from millrace import datasets
from millrace.library.auditing import audit
from millrace.library.replaying import replay
from millrace.runs.json_lines import read_lines
from millrace.workers.job import Place
from tests.workers.ray_runtime.test_ray_training import Killer, ignore, job, on_ray

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize(
    ("staleness", "kinds"), [(2, ["WorkerActor", "ServerActor"]), ("unbounded", [])], ids=["killed", "unbounded"]
)
def test_a_stale_run_and_its_replay(
    tmp_path: Path, kill: Callable[[str], bool], staleness: int | str, kinds: list[str]
) -> None:
    # Long enough that all workers have come, also where they share their cores.
    work = replace(job(epochs=150) if kinds else job(epochs=100, batch=100), staleness=staleness)
    killer, lost = Killer(kill, list(kinds), every=60), set(kinds)
    folder = on_ray(tmp_path / "ray", work, killer, workers=3)
    assert set(killer.killed) == lost
    steps = [line["step"] for line in read_lines(folder.metrics)]
    assert steps == list(range(len(steps)))
    assert folder.finished
    data = datasets.load(datasets.find("digits"))
    assert not audit(folder, work, data).wrong
    again = replay(folder, work, data, Place(workers=2), ignore)
    assert (again.step, again.different) == (len(steps), ())
    assert max(again.staleness) > 0
    assert isinstance(staleness, str) or max(again.staleness) <= staleness
