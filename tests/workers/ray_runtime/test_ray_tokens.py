"""A cluster without a token is joined from a machine where one lies, as any run on a Ray of its own leaves it."""

from pathlib import Path

import pytest

from tests.workers.programs import run
from tests.workers.ray_runtime.nodes import several_nodes
from tests.workers.runs import lines

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]


def test_a_token_that_nobody_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    with several_nodes(3) as nodes:
        place = ["--runtime", "ray", "--address", nodes.address, "--workers", "1", "--out", str(tmp_path / "run")]
        run("train", "--epochs", "1", *place, environment={"HOME": str(tmp_path)})
    assert lines(tmp_path / "run" / "epochs.jsonl")
