"""One driver at a time: refused while another lives, free when it is gone, and no writing by one that has lost."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from millrace.errors import CheckpointError, TakenOverError, UsageError
from millrace.runs import owner as run_owner
from millrace.runs.owner import Claim, RunOwner, newest_claim
from millrace.storage.folder import Folder, Stat
from millrace.storage.processes import Process

ROOT = Path(__file__).parents[2]
ELSEWHERE = Process("elsewhere", 4711, "another boot", "pid:[1]", 17)
PROGRAM = """\
import sys
from millrace.runs.owner import RunOwner
from millrace.storage.folder import Folder
RunOwner.take(Folder(sys.argv[1]), locked=False, settle=0)
print("mine", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path), CheckpointError)


def claim(store: Folder, incarnation: int, process: Process = ELSEWHERE, age: float = 0.0, time: float = 0.0) -> Claim:
    """A claim of another driver, last renewed so many seconds ago."""
    made = Claim(incarnation, "0123abcd", process, time)
    store.put(made.name, [made.to_json()])
    path = Path(store.location) / made.name
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))
    return made


def names(store: Folder) -> list[str]:
    return sorted(store.stats("owners"))


def test_incarnations_count_up(store: Folder) -> None:
    assert newest_claim(store) is None
    for number in (1, 2, 3):
        owner = RunOwner.take(store, locked=True, settle=0)
        assert owner.claim.incarnation == number
        assert owner.claim.process == Process.here()
        owner.verify()
        owner.check()
        owner.release()
        assert names(store) == [owner.claim.name]
        last = newest_claim(store)
        assert last is not None
        assert last.released
        assert (owner.before.released if owner.before else True) is True


@pytest.mark.parametrize("locked", [True, False])
def test_an_owner_on_another_machine_is_left_alone_while_it_is_heard_of(store: Folder, locked: bool) -> None:
    claim(store, 4, age=12.2)
    with pytest.raises(UsageError, match="another driver trains the run") as refused:
        RunOwner.take(store, locked=locked, settle=0)
    assert refused.value.got == "incarnation 4, process 4711 on elsewhere, heard of 12 s ago"
    assert "in 18 s" in (refused.value.do or "")
    assert names(store) == ["owners/000004-0123abcd.json"]


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
def test_one_that_is_heard_of_no_more_is_followed_whatever_its_clock_says(store: Folder, skew: int) -> None:
    before = claim(store, 4, age=31, time=time.time() + skew)
    owner = RunOwner.take(store, locked=False, settle=0)
    assert owner.claim.incarnation == 5
    assert owner.before == before
    assert names(store) == [owner.claim.name]
    owner.release()


def test_a_killed_process_of_this_machine_is_followed_at_once(store: Folder) -> None:
    command = [sys.executable, "-c", PROGRAM, store.location]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"mine\n"
        with pytest.raises(UsageError, match=f"process {child.pid} on"):
            RunOwner.take(store, locked=False, settle=0)
        child.kill()
        child.wait(30)
    owner = RunOwner.take(store, locked=False, settle=0)
    assert owner.claim.incarnation == 2
    owner.release()


def test_a_file_lock_says_that_no_process_of_this_kernel_has_the_run(store: Folder) -> None:
    claim(store, 1, process=Process.here())
    with pytest.raises(UsageError, match="another driver"):
        RunOwner.take(store, locked=False, settle=0)
    RunOwner.take(store, locked=True, settle=0).release()


@pytest.mark.parametrize(("owner", "wins"), [("00000000", True), ("ffffffff", False)])
def test_of_two_that_see_each_other_while_they_wait_the_higher_goes_on(
    store: Folder, monkeypatch: pytest.MonkeyPatch, owner: str, wins: bool
) -> None:
    other = Claim(1, owner, ELSEWHERE, 0.0)
    monkeypatch.setattr("millrace.runs.owner.time.sleep", lambda seconds: store.put(other.name, [other.to_json()]))
    if wins:
        taken = RunOwner.take(store, locked=False, settle=1)
        assert names(store) == [taken.claim.name]
        taken.release()
    else:
        with pytest.raises(UsageError, match="process 4711 on elsewhere, heard of just now"):
            RunOwner.take(store, locked=False, settle=1)
        assert names(store) == [other.name]


def test_of_many_that_begin_at_once_one_is_the_owner(store: Folder) -> None:
    start, owners, refused = threading.Barrier(5), [], []

    def begin() -> None:
        start.wait(30)
        try:
            owners.append(RunOwner.take(store, locked=True, settle=0.3))
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=begin) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    # On a busy machine one may begin after another has settled: that one finds its loss at the next look.
    still = []
    for owner in owners:
        try:
            owner.verify()
            still.append(owner)
        except TakenOverError:
            continue
    assert len(still) == 1
    assert len(owners) + len(refused) == 5
    for owner in owners:
        owner.release()
    last = newest_claim(store)
    assert last is not None
    assert (last.owner, last.released) == (still[0].claim.owner, True)


def test_an_owner_that_was_followed_stops_and_writes_nothing_more(store: Folder) -> None:
    owner = RunOwner.take(store, locked=True, settle=0)
    claim(store, 2)
    owner.check()  # renewed just now: nobody can have taken it, so nobody is asked
    with pytest.raises(TakenOverError, match="taken over") as lost:
        owner.verify()
    assert lost.value.got == "incarnation 2, process 4711 on elsewhere"
    assert owner.lost
    with pytest.raises(TakenOverError):
        owner.check()
    before = {name: store.data(name) for name in names(store)}
    owner.release()
    assert {name: store.data(name) for name in names(store)} == before
    assert not json.loads(before[owner.claim.name])["released"]


def wait_for(seen: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if seen():
            return
        time.sleep(0.01)
    raise TimeoutError(what)


def test_it_renews_its_claim_and_finds_its_loss_by_itself(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_owner, "RENEWED", 0.02)
    owner = RunOwner.take(store, locked=True, settle=0)

    def newest() -> Claim:
        found = newest_claim(store)
        assert found is not None
        return found

    first = newest()
    wait_for(lambda: newest().time > first.time, "a renewal")
    assert replace(newest(), time=first.time) == first
    claim(store, 2)
    wait_for(lambda: owner.lost, "the loss")
    owner.release()


def test_after_a_sleep_it_asks_before_anything_is_written(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = RunOwner.take(store, locked=True, settle=0)
    claim(store, 2)
    clock = run_owner._clock
    monkeypatch.setattr(run_owner, "_clock", lambda: clock() + run_owner.SURE + 1)
    with pytest.raises(TakenOverError):
        owner.check()
    owner.release()


def test_a_damaged_claim_is_named(store: Folder) -> None:
    store.put("owners/000001-0123abcd.json", [b"{}"])
    with pytest.raises(CheckpointError, match=r"owners/000001-0123abcd.json of .* is damaged"):
        newest_claim(store)
    store.put("owners/notes.txt", [b"not a claim"])
    assert newest_claim(Folder(f"{store.location}/nowhere", CheckpointError)) is None


class Stale(Folder):
    """A store that lists a file for some looks after it has gone."""

    def __init__(self, location: str, looks: float) -> None:
        super().__init__(location, CheckpointError)
        self.looks, self.asked = looks, 0

    def stats(self, under: str = "") -> Mapping[str, Stat]:
        self.asked += 1
        gone = {"owners/000009-0123abcd.json": Stat(3, 0.0)} if self.asked <= self.looks else {}
        return {**super().stats(under), **gone}


def test_a_listing_that_is_late_is_asked_again_after_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, pauses = Stale(str(tmp_path), looks=3), list[float]()
    there = claim(store, 4)
    monkeypatch.setattr("millrace.runs.owner.time.sleep", pauses.append)
    assert newest_claim(store) == there
    assert pauses == [run_owner.PAUSE] * 3


def test_a_listing_that_stays_wrong_is_an_error_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_owner, "LISTED", 0.3)
    store = Stale(str(tmp_path), looks=1e9)
    with pytest.raises(CheckpointError, match="lists a file that it does not give"):
        newest_claim(store)
    assert store.asked < 10
