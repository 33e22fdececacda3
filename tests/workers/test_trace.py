"""The trace of a run, as a viewer reads it."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from millrace.runs.stages import COMPUTE, STAGES
from millrace.workers.clock import Clock
from millrace.workers.events import Notice, Reporter
from millrace.workers.job import Place
from millrace.workers.trace import write_trace
from tests.formats.trace_reader import read
from tests.workers.runs import JOB, STEPS, Watch, train


@pytest.mark.parametrize("staleness", [0, 1])
def test_a_run_writes_what_its_threads_did(tmp_path: Path, staleness: int) -> None:
    file = tmp_path / "trace.json"
    place = Place(workers=2, augmenters=1, trace=str(file), test=False)
    train(tmp_path / "run", replace(JOB, staleness=staleness), place)
    threads = read(file.read_bytes())
    assert sorted(threads) == [
        ("augmenter", "augmenter 0"), ("trainer", "trainer 0"), ("worker", "worker 0"), ("worker", "worker 1")
    ]  # fmt: skip
    for slices in threads.values():  # one after the other, without a gap
        assert {one.name for one in slices} <= set(STAGES.values())
        assert all(a.end == b.begin for a, b in pairwise(slices))
    computed = [one for slices in threads.values() for one in slices if one.name == STAGES["compute"]]
    assert len(computed) == (4 + 4 + 1) * STEPS // 3


def test_what_cannot_be_written_is_said_and_ends_no_run(tmp_path: Path) -> None:
    watch, clock = Watch(), Clock(traced=True)
    clock.enter(COMPUTE)
    write_trace(str(tmp_path / "gone" / "trace.json"), {"worker-0": clock.stretches or ()}, Reporter(watch))
    (notice,) = watch.of(Notice)
    assert "the trace" in notice.text
    write_trace(None, {}, Reporter(watch))
    assert list(tmp_path.iterdir()) == []
