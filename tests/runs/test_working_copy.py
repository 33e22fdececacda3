"""Where a working copy lies."""

from pathlib import Path

import pytest

from millrace.errors import CheckpointError
from millrace.runs import working_copy
from millrace.runs.working_copy import is_address


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_address_has_a_scheme() -> None:
    assert is_address("s3://bucket/run")
    assert is_address("file:///a")
    assert not is_address("a/b")
    assert not is_address(Path("s3://bucket/run"))


def test_each_address_has_one_copy_of_its_own(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["s3://b/runs/my run", "s3://b/runs/my run?region=x", "s3://c/runs/my run", "s3://b/..", "s3://b/é"]
    copies = [working_copy.working_copy(address) for address in addresses]
    assert len(set(copies)) == len(copies)
    assert all(copy.is_dir() and copy.parent == cache / "runs" for copy in copies)
    assert copies[0].name.startswith("my-run-")
    assert [working_copy.working_copy(address) for address in addresses] == copies
    # Where machines share a home, each has its own.
    monkeypatch.setattr(working_copy, "is_shared", lambda path: True)
    monkeypatch.setattr("socket.gethostname", lambda: "one")
    one = working_copy.working_copy(addresses[0])
    monkeypatch.setattr("socket.gethostname", lambda: "two")
    assert len({copies[0], one, working_copy.working_copy(addresses[0])}) == 3


def test_a_cache_that_cannot_be_written_says_what_to_do(cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(CheckpointError, match="MILLRACE_CACHE"):
        working_copy.working_copy("s3://bucket/run")
