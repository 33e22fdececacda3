"""The trace of a run, as a viewer reads it."""

import json
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from millrace.errors import OptionError
from millrace.runs.stages import COMPUTE, STAGES
from millrace.workers.clock import Clock
from millrace.workers.events import Notice, Reporter
from millrace.workers.job import Place
from millrace.workers.trace import write_trace
from tests.workers.runs import JOB, STEPS, Watch, train


@pytest.mark.parametrize("staleness", [0, 1])
def test_a_run_writes_what_its_threads_did(tmp_path: Path, staleness: int) -> None:
    file = tmp_path / "trace.json"
    place = Place(workers=2, augmenters=1, trace=str(file), test=False)
    train(tmp_path / "run", replace(JOB, staleness=staleness), place)
    events = json.loads(file.read_bytes())["traceEvents"]
    processes = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert sorted(processes.values()) == ["augmenter", "trainer", "worker"]
    threads = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            assert event["name"] in STAGES.values()
            threads[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    assert sorted(processes[pid] for pid, _ in threads) == ["augmenter", "trainer", "worker", "worker"]
    for stretches in threads.values():  # one after the other, without a gap
        assert all(abs(end - begin) < 0.01 for (_, end), (begin, _) in pairwise(stretches))
    computed = [event for event in events if event["name"] == STAGES["compute"]]
    assert len(computed) == (4 + 4 + 1) * STEPS // 3


def test_what_cannot_be_written_is_said_and_ends_no_run(tmp_path: Path) -> None:
    watch, clock = Watch(), Clock(traced=True)
    clock.enter(COMPUTE)
    write_trace(str(tmp_path / "gone" / "trace.json"), {"worker-0": clock}, Reporter(watch))
    (notice,) = watch.of(Notice)
    assert "the trace" in notice.text
    write_trace(None, {}, Reporter(watch))
    assert list(tmp_path.iterdir()) == []


def test_actors_have_no_trace() -> None:
    with pytest.raises(OptionError, match="is of threads"):
        Place(runtime="ray", trace="trace.json")
