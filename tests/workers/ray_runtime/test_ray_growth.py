"""Workers that join when nodes come and leave when they go, in mid-epoch: no sample is lost, no byte changes, neither
there nor where the run goes on without Ray."""

from pathlib import Path
from typing import Any

import pytest

from tests.workers.programs import end, start
from tests.workers.ray_runtime.long_run import TRAIN, check, go_on_locally
from tests.workers.ray_runtime.nodes import several_nodes
from tests.workers.ray_runtime.waiting import wait_for
from tests.workers.runs import lines

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


def test_workers_join_and_leave_with_their_nodes(tmp_path: Path, unbroken: Path) -> None:
    folder = tmp_path / "run"

    def incidents(kind: str) -> list[dict[str, Any]]:
        file = folder / "incidents.jsonl"
        return [line for line in lines(file) if line["kind"] == kind] if file.exists() else []

    with several_nodes(3) as nodes:
        place = ["--runtime", "ray", "--address", nodes.address, "--workers", "1:3", "--out", str(folder)]
        driver = start(*TRAIN, *place)
        try:
            metrics = folder / "metrics.jsonl"
            wait_for(lambda: metrics.exists() and metrics.stat().st_size, "the first steps")
            first, _ = nodes.add(2, wait=False), nodes.add(2, wait=False)
            joined = wait_for(
                lambda: len(incidents("worker joined")) == 2 and incidents("worker joined"), "two workers"
            )
            # Each on a node of its own, and neither on the head, where the first worker is.
            assert {line["node"] for line in joined} == {node.id for node in nodes.others}
            nodes.lose(first)
            lost = wait_for(lambda: incidents("worker lost"), "the loss of one")
            go_on_locally(driver, folder)
        except BaseException as error:
            driver.kill()
            raise AssertionError(end(driver, 30)[1]) from error
    assert [line["node"] for line in lost] == [first.id]
    # In mid-run: it went on after the last worker joined and after one was lost.
    assert 0 < joined[-1]["step"] <= lost[0]["step"] < len(lines(folder / "metrics.jsonl"))
    check(folder, unbroken, "worker joined: 2")
