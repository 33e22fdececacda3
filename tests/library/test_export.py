"""export from code: the bytes of the command, and a run on them."""

import threading
from pathlib import Path

import pytest

import millrace
from millrace.commands.main import main
from millrace.errors import UsageError


def digests(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def test_an_export_from_code_is_that_of_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = millrace.Policy(rotate=15)
    made = millrace.export("digits", home / "a", format="npz", epochs=2, policy=policy, subset=100, shard_rows=60)
    assert capsys.readouterr() == ("", "")
    assert made.manifest is not None
    assert sum(one.record.rows for one in made.done) == 560
    words = (
        "export digits --format npz --epochs 2 --policy none --policy.rotate 15 --subset 100 --shard-rows 60 --out b"
    )
    assert main(words.split()) == 0
    assert digests(home / "a") == digests(home / "b")
    run = millrace.train(home / "a", epochs=2, batch=50, network={"hidden": [4]})
    assert run.finished


def test_a_stopped_export_goes_on(home: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert millrace.export("digits", "a", shard_rows=100, stop=stop).manifest is None
    again = millrace.export("digits", "a", shard_rows=100)
    assert again.manifest is not None
    assert len(again.done) == len(again.plan.shards)


def test_what_cannot_be_exported(home: Path) -> None:
    with pytest.raises(UsageError, match="unknown key of an export 'batch'"):
        millrace.export("digits", "a", batch=3)
    with pytest.raises(UsageError, match="unknown"):
        millrace.export("digits", "a", format="parkett")
    millrace.export("digits", "a", subset=50)
    with pytest.raises(UsageError, match="is an export already"):
        millrace.export("a", "b")
    assert not Path("b").exists()
