"""A run at an address and its working copy: whole checkpoints, the address is the truth. (S3: test_run_address.)"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.errors import CheckpointError, TakenOverError, UsageError
from millrace.model import load, save
from millrace.runs import mirror as run_mirror
from millrace.runs.mirror import Mirror, patiently
from millrace.runs.owner import RunOwner
from millrace.storage.folder import Folder
from millrace.storage.lock import try_lock
from tests.runs.test_folder import checkpoint

CHECKPOINT_FILES = ("checkpoint.json", "optimizer.safetensors", "weights.safetensors")


class Machine:
    """One machine's working copy of the run at `there`, a folder that pyarrow's local filesystem serves."""

    def __init__(self, there: Path, here: Path) -> None:
        here.mkdir()
        self.there, self.here = there, here
        self.mirror = Mirror(Folder(str(there), CheckpointError), here)

    def write(self, step: int) -> None:
        """A checkpoint, and one line of metrics for each step before it."""
        path = save(self.here / "checkpoints" / f"step-{step:010d}", checkpoint(step))
        (self.here / "metrics.jsonl").write_text("".join(f'{{"step": {n}}}\n' for n in range(step)))
        self.mirror.send_checkpoint(path, kept=2)

    def pull(self) -> None:
        self.mirror.refresh(self.here / "lock")

    def step(self) -> int:
        """The newest step here."""
        return max(load(path).step for path in (self.here / "checkpoints").iterdir())


Make = Callable[[str], Machine]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda name: Machine(tmp_path / "there", tmp_path / name)


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name, but locks and what is not yet whole."""
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in named.items() if name != "lock" and not name.startswith(".millrace")}


def test_another_machine_has_what_was_sent(make: Make) -> None:
    one, two = make("one"), make("two")
    one.mirror.begin("seed: 1\n", "config.yaml", keep="lock")
    assert tree(one.there) == {"config.yaml": b"seed: 1\n"}
    (one.here / "epochs.jsonl").write_text('{"epoch": 0}\n')
    (one.here / "stages.jsonl").write_text('{"step": 0}\n')
    (one.here / "incidents.jsonl").write_text('{"kind": "worker lost"}\n')
    for step in (3, 6, 9):
        one.write(step)
    save(one.here / "best", checkpoint(4))
    one.write(12)
    (one.here / "result.json").write_text("{}")
    one.mirror.send("result.json")
    kept = {f"checkpoints/step-{step:010d}/{name}" for step in (9, 12) for name in CHECKPOINT_FILES}
    best = {f"best/step-0000000004/{name}" for name in CHECKPOINT_FILES}
    files = {"config.yaml", "metrics.jsonl", "epochs.jsonl", "stages.jsonl", "incidents.jsonl", "result.json"}
    assert set(tree(one.there)) == kept | best | files
    two.pull()
    assert load(two.here / "best").step == 4
    ours, theirs = tree(two.here), tree(one.here)
    assert ours == {name: data for name, data in theirs.items() if "step-" not in name or "0012" in name}
    two.mirror.begin(None, "config.yaml", keep="lock")
    two.write(15)
    one.pull()
    assert tree(one.here) == {name: data for name, data in tree(two.here).items() if "0012" not in name}


def test_a_better_checkpoint_takes_the_place_of_the_best(make: Make) -> None:
    one = make("one")
    one.mirror.begin("", "config.yaml", keep="lock")
    for step in (4, 8):
        save(one.here / "best", checkpoint(step))
        one.write(step)
    assert [path.name for path in (one.there / "best").iterdir() if tree(path)] == ["step-0000000008"]


def test_what_is_newer_here_is_replaced_by_the_truth(make: Make) -> None:
    one = make("one")
    one.mirror.begin("seed: 1\n", "config.yaml", keep="lock")
    one.write(3)
    before = tree(one.here)
    save(one.here / "checkpoints" / "step-0000000006", checkpoint(6))  # killed before it was sent
    save(one.here / "best", checkpoint(6))
    (one.here / "metrics.jsonl").write_text("more\n")
    (one.here / "result.json").write_text("{}")
    (one.here / "lock").touch()
    one.mirror = Mirror(Folder(str(one.there), CheckpointError), one.here)
    one.pull()
    assert tree(one.here) == before
    assert (one.here / "lock").exists()


def test_a_checkpoint_whose_step_stands_with_other_bytes_here_is_replaced(make: Make) -> None:
    one = make("one")
    one.mirror.begin("", "config.yaml", keep="lock")
    one.write(3)
    before = tree(one.here)
    other = dataclasses.replace(checkpoint(3), state={"seconds": 5})
    save(one.here / "checkpoints" / "step-0000000003", other)
    one.pull()
    assert tree(one.here) == before


@pytest.mark.parametrize("missing", CHECKPOINT_FILES)
def test_a_torn_checkpoint_is_passed_over_and_swept_by_the_owner(make: Make, missing: str) -> None:
    one, two = make("one"), make("two")
    one.mirror.begin("", "config.yaml", keep="lock")
    for step in (3, 6):
        one.write(step)
    (one.there / "checkpoints" / "step-0000000006" / missing).unlink()
    two.pull()
    assert two.step() == 3
    assert len(tree(one.there / "checkpoints")) == 5
    two.mirror.begin(None, "config.yaml", keep="lock")
    assert len(tree(one.there / "checkpoints")) == 3
    two.write(9)
    assert sorted(path.name[-1] for path in (one.there / "checkpoints").iterdir() if tree(path)) == ["3", "9"]


def test_a_damaged_checkpoint_is_passed_over_but_kept_to_be_named(make: Make) -> None:
    one, two = make("one"), make("two")
    one.mirror.begin("", "config.yaml", keep="lock")
    for step in (3, 6):
        one.write(step)
    path = one.there / "checkpoints" / "step-0000000006" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    two.pull()
    assert load(two.here / "checkpoints" / "step-0000000003").step == 3
    with pytest.raises(CheckpointError, match="damaged"):
        load(two.here / "checkpoints" / "step-0000000006")
    two.mirror.begin(None, "config.yaml", keep="lock")
    two.mirror.sweep(last=3)
    assert [path.name for path in (one.there / "checkpoints").iterdir() if tree(path)] == ["step-0000000003"]


def test_the_document_of_a_checkpoint_comes_last(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make("one")
    order: list[str] = []
    put = Folder.put

    def noted(self: Folder, name: str, parts: list[bytes]) -> None:
        order.append(name)
        put(self, name, parts)

    monkeypatch.setattr(Folder, "put", noted)
    one.mirror.begin("", "config.yaml", keep="lock")
    save(one.here / "best", checkpoint(2))
    one.write(3)
    assert [name.rpartition("/")[2] for name in order] == [
        *("config.yaml", "optimizer.safetensors", "weights.safetensors", "checkpoint.json", "metrics.jsonl"),
        *("optimizer.safetensors", "weights.safetensors", "checkpoint.json"),
    ]


def test_each_write_asks_whether_the_run_is_still_its_own(make: Make) -> None:
    one = make("one")
    one.mirror.begin("", "config.yaml", keep="lock")
    for step in (3, 6):
        one.write(step)
    for allowed in range(5):  # metrics, three files of the checkpoint, the removal of an older one
        before, asked = tree(one.there), list[None]()

        def ask(asked: list[None] = asked, allowed: int = allowed) -> None:
            asked.append(None)
            if len(asked) > allowed:
                raise TakenOverError("the run was taken over")

        one.mirror.ask = ask
        with pytest.raises(TakenOverError):
            one.write(9 + 3 * allowed)
        changed = {name for name, data in tree(one.there).items() if before.get(name) != data}
        assert len(changed) <= allowed


def test_something_else_at_the_address_is_left_alone(make: Make) -> None:
    one, two = make("one"), make("two")
    one.mirror.begin("seed: 1\n", "config.yaml", keep="lock")
    with pytest.raises(UsageError, match="is not empty"):
        two.mirror.refuse_if_used()
    with pytest.raises(UsageError, match="is not empty"):
        two.mirror.begin("seed: 2\n", "config.yaml", keep="lock")
    assert tree(one.there) == {"config.yaml": b"seed: 1\n"}
    (one.there / "config.yaml").unlink()
    (one.there / "owners").mkdir()
    (one.there / "owners" / "000001-0123abcd.json").write_text("{}")
    two.mirror.begin("seed: 2\n", "config.yaml", keep="lock")
    assert (one.there / "config.yaml").read_text() == "seed: 2\n"


def test_a_copy_that_is_being_trained_on_is_left_alone(make: Make) -> None:
    one = make("one")
    one.mirror.begin("", "config.yaml", keep="lock")
    (one.here / "metrics.jsonl").write_text("newer\n")
    lock = try_lock(one.here / "lock")
    assert lock is not None
    one.pull()
    assert (one.here / "metrics.jsonl").read_text() == "newer\n"
    lock.release()
    one.pull()
    assert not (one.here / "metrics.jsonl").exists()


class Shaky:
    """Sends that fail so many times before one goes through."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def __call__(self) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise CheckpointError("s3://bucket/run cannot be written", got="no route to host")


def test_an_address_out_of_reach_is_waited_for_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_mirror, "PAUSE", 0.0)
    owner, heard = RunOwner.take(Folder(str(tmp_path), CheckpointError), locked=True, settle=0), list[str]()
    patiently(Shaky(3), owner, heard.append)
    assert len(heard) == 3
    assert heard[0].startswith("s3://bucket/run cannot be written (no route to host): trying again for ")
    with pytest.raises(CheckpointError, match="cannot be written"):
        patiently(Shaky(1), None, heard.append)
    monkeypatch.setattr(run_mirror, "PATIENCE", -1.0)
    with pytest.raises(CheckpointError, match="cannot be written"):
        patiently(Shaky(1), owner, heard.append)
    assert len(heard) == 3
    taken = json.loads((tmp_path / owner.claim.name).read_text())
    (tmp_path / "owners" / "000002-ffffffff.json").write_text(json.dumps({**taken, "incarnation": 2}))
    sent = Shaky(0)
    with pytest.raises(TakenOverError):
        patiently(sent, owner, heard.append)
    assert sent.failures == 0
    owner.release()


def test_a_copy_that_cannot_be_written_says_what_to_do(make: Make) -> None:
    one = make("one")
    one.mirror.begin("", "config.yaml", keep="lock")
    one.write(3)
    shutil.rmtree(one.here)
    one.here.write_text("a file")
    with pytest.raises(CheckpointError, match="MILLRACE_CACHE"):
        one.mirror.begin(None, "config.yaml", keep="lock")


def test_the_journal_is_sent_first_and_read_last(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a reader of a run in training has the updates of all epochs that it sees."""
    one, two = make("one"), make("two")
    for name in ("journal.bin", "epochs.jsonl"):
        (one.here / name).write_text("1")
    put, data = Folder.put, Folder.data
    names: list[str] = []

    def noted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(folder: Folder, name: str, *rest: Any) -> Any:
            names.append(name)
            return method(folder, name, *rest)

        return call

    monkeypatch.setattr(Folder, "put", noted(put))
    monkeypatch.setattr(Folder, "data", noted(data))
    one.write(3)
    assert (
        names.index("journal.bin")
        < names.index("epochs.jsonl")
        < names.index("checkpoints/step-0000000003/checkpoint.json")
    )
    names.clear()
    two.pull()
    assert names.index("epochs.jsonl") < names.index("journal.bin")


def journals(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob("journal*"))}


def test_a_driver_that_was_followed_writes_over_no_journal_of_the_next(make: Make) -> None:
    """It had asked whether the run was still its own, and was put to sleep before it wrote."""
    one, two, three = make("one"), make("two"), make("three")
    one.mirror.journal, two.mirror.journal = "journal-000001-aaaaaaaa.bin", "journal-000002-00000000.bin"
    one.mirror.begin("", "config.yaml", keep="lock")
    (one.here / "journal.bin").write_text("123")
    one.write(3)

    def followed() -> None:
        one.mirror.ask = lambda: None
        two.mirror.begin(None, "config.yaml", keep="lock")
        assert (two.here / "journal.bin").read_text() == "123"
        (two.here / "journal.bin").write_text("123456")
        two.write(6)

    (one.here / "journal.bin").write_text("123xyz")
    one.mirror.ask = followed
    one.mirror.send("journal.bin")
    three.pull()
    assert (three.here / "journal.bin").read_text() == "123456"
    assert three.step() == 6
    # What the one that was followed has left goes with the next owner's first checkpoint.
    three.mirror.journal = "journal-000003-99999999.bin"
    three.mirror.begin(None, "config.yaml", keep="lock")
    (three.here / "journal.bin").write_text("123456789")
    three.write(9)
    assert journals(three.there) == {"journal-000003-99999999.bin": "123456789"}


def test_a_journal_that_an_earlier_release_sent_is_found_and_replaced(make: Make) -> None:
    one, two = make("one"), make("two")
    one.mirror.begin("", "config.yaml", keep="lock")
    (one.here / "journal.bin").write_text("123")
    one.write(3)
    assert journals(one.there) == {"journal.bin": "123"}
    two.mirror.journal = "journal-000002-00000000.bin"
    two.mirror.begin(None, "config.yaml", keep="lock")
    assert journals(two.here) == {"journal.bin": "123"}
    (two.here / "journal.bin").write_text("123456")
    two.write(6)
    assert journals(one.there) == {"journal-000002-00000000.bin": "123456"}
    one.pull()
    assert journals(one.here) == {"journal.bin": "123456"}
