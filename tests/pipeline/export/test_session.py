"""Sessions: whole or not at all, continued where they stopped, and never two exports in one folder."""

import fcntl
import json
import os
import shutil
import threading
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from millrace.datasets import Dataset
from millrace.datasets.exported import MANIFEST
from millrace.errors import DataError, DeadlineError, FormatError, UsageError
from millrace.formats import FORMATS
from millrace.pipeline.export import ExportSession, ShardWriter
from millrace.pipeline.export.session import LOCK, PLAN, check_claimed
from millrace.pipeline.export.writer import record_name
from millrace.storage.folder import Folder
from tests.pipeline.export.small import contents, planned, shapes, written


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("threads", [3])
def test_the_number_of_threads_changes_no_byte(name: str, threads: int, dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, format=name)
    written(plan, dataset, tmp_path / "one")
    written(plan, dataset, tmp_path / "many", threads=threads)
    assert contents(tmp_path / "one") == contents(tmp_path / "many")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("most", [1, 7])
def test_a_stopped_export_goes_on_and_ends_in_the_same_bytes(
    name: str, most: int, dataset: Dataset, tmp_path: Path
) -> None:
    plan = planned(dataset, format=name)
    written(plan, dataset, tmp_path / "unbroken")
    assert written(plan, dataset, tmp_path / "broken", most=most) is None
    assert not (tmp_path / "broken" / MANIFEST).exists()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "broken").glob("[!.]*/*.*")}
    assert written(plan, dataset, tmp_path / "broken", threads=2) is not None
    assert contents(tmp_path / "unbroken") == contents(tmp_path / "broken")
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


@pytest.mark.parametrize("harm", ["cut", "changed", "no record", "other record", "gone"])
def test_what_is_torn_never_counts(harm: str, dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset)
    written(plan, dataset, tmp_path / "unbroken")
    path = tmp_path / "broken"
    written(plan, dataset, path, most=3)
    shard, record = path / plan.shards[1].name, path / record_name(plan.shards[1])
    if harm == "cut":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif harm == "changed":
        shard.write_bytes(shard.read_bytes().replace(b"PAR1", b"PAR2"))
    elif harm == "no record":
        record.unlink()
    elif harm == "other record":
        shutil.copy(path / record_name(plan.shards[0]), record)
    else:
        shard.unlink()
    (path / ".millrace" / "aside").mkdir(exist_ok=True)
    (path / ".millrace" / "aside" / "left").write_bytes(b"half of a sha")
    folder = Folder(str(path))
    with ExportSession.open(plan, folder) as session:
        writer = ShardWriter(plan, dataset, folder, session.known)
        assert [writer.shard(index).made for index in range(3)] == [False, True, False]
    written(plan, dataset, path)
    assert contents(path) == contents(tmp_path / "unbroken")


@pytest.mark.parametrize("name", FORMATS)
def test_a_finished_export_stays_and_damage_is_repaired(name: str, dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, format=name, originals=True)
    written(plan, dataset, tmp_path)
    (tmp_path / "README.md").write_bytes(b"edited")
    before = contents(tmp_path)
    written(plan, dataset, tmp_path)
    assert contents(tmp_path) == before
    victims = (
        sorted((tmp_path / "train").rglob("*.png"))[:2]
        if name == "imagefolder"
        else sorted((tmp_path / "data").iterdir())
    )
    victims[0].unlink()
    victims[1].write_bytes(victims[1].read_bytes()[:-9])
    written(plan, dataset, tmp_path)
    assert contents(tmp_path) == before
    if name == "imagefolder":
        table = tmp_path / "train" / "metadata.csv"
        table.write_bytes(table.read_bytes()[:-50])
        written(plan, dataset, tmp_path)
        assert contents(tmp_path) == before


@pytest.mark.parametrize("finished", [True, False])
def test_another_configuration_is_refused_and_says_what_differs(
    finished: bool, dataset: Dataset, tmp_path: Path
) -> None:
    written(planned(dataset), dataset, tmp_path, most=None if finished else 2)
    before = contents(tmp_path)
    with pytest.raises(UsageError) as raised:
        written(planned(dataset, seed=8, format="arrow"), dataset, tmp_path)
    assert "holds another export: shapes as parquet, 3 epochs, seed 7" in raised.value.what
    assert "seed: 7 there, 8 here" in str(raised.value.got)
    assert "format: parquet there, arrow here" in str(raised.value.got)
    assert "epochs" not in str(raised.value.got)
    with pytest.raises(UsageError, match="another export"):
        written(planned(shapes(3)), shapes(3), tmp_path)
    assert contents(tmp_path) == before


def test_a_folder_with_other_files_is_refused_and_left_as_it_is(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty"):
        written(planned(dataset), dataset, tmp_path)
    assert os.listdir(tmp_path) == ["letter.txt"]


def test_two_exports_that_begin_at_once_see_each_other(dataset: Dataset, tmp_path: Path) -> None:
    """The other one's plan comes to lie there after the look whether the folder is empty."""
    mine, other = planned(dataset), planned(dataset, seed=8)
    folder = Folder(str(tmp_path))
    put = folder.put

    def late(name: str, parts: Any, *, settled: bool = True) -> None:
        put(name, parts)
        if name.startswith(PLAN):
            folder.put = put  # type: ignore[method-assign]
            there = {"key": other.key, "configuration": other.configuration, "dataset": other.dataset}
            put(f"{PLAN}{other.key[:16]}.json", [json.dumps(there).encode()])

    folder.put = late  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="holds another export"), ExportSession.open(mine, folder):
        pass
    assert folder.names(".millrace") == [f"{PLAN}{other.key[:16]}.json"]


def test_the_other_export_gave_way_and_this_one_keeps_its_claim(dataset: Dataset, tmp_path: Path) -> None:
    """The other one's plan is listed, but gone when it is read: it has seen this one's."""
    mine, other = planned(dataset), planned(dataset, seed=8)
    folder = Folder(str(tmp_path))
    names, read = folder.names, folder.read
    seen = f"{PLAN}{other.key[:16]}-0123abcd.json"

    def listed(under: str = "", *, deep: bool = True) -> list[str]:
        return names(under, deep=deep) + ([seen] if names(".millrace", deep=False) else [])

    def gone(name: str, **part: Any) -> Any:
        if name == seen:
            raise FileNotFoundError(name)
        return read(name, **part)

    folder.names, folder.read = listed, gone  # type: ignore[method-assign]
    with ExportSession.open(mine, folder):
        claims = [name for name in names(".millrace") if name.startswith(PLAN)]
        assert [name.startswith(f"{PLAN}{mine.key[:16]}-") for name in claims] == [True]


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_another_export_that_ends_between_two_looks_is_seen(looks: int, dataset: Dataset, tmp_path: Path) -> None:
    """It writes its manifest and takes its claim away before this one's n-th look into the folder."""
    mine, other = planned(dataset), planned(dataset, seed=8)
    folder = Folder(str(tmp_path))
    names, left = folder.names, looks

    def listed(under: str = "", *, deep: bool = True) -> list[str]:
        nonlocal left
        left -= 1
        if left == 0:
            folder.names = names  # type: ignore[method-assign]
            written(other, dataset, tmp_path / "elsewhere")
            for path in (tmp_path / "elsewhere").iterdir():
                path.rename(tmp_path / path.name)
            (tmp_path / "elsewhere").rmdir()
        return names(under, deep=deep)

    folder.names = listed  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="holds another export"), ExportSession.open(mine, folder):
        pass
    assert left == 0
    assert not [name for name in names(".millrace") if name.startswith(PLAN)]


def test_a_refused_export_has_written_nothing(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill at any moment of it leaves no claim that would refuse the export under way."""
    written(planned(dataset), dataset, tmp_path, most=2)
    puts: list[str] = []
    monkeypatch.setattr(Folder, "put", lambda folder, name, parts, *, settled=True: puts.append(name))
    with pytest.raises(UsageError, match="holds another export"):
        written(planned(dataset, seed=8), dataset, tmp_path)
    assert puts == []


def test_a_second_process_in_the_folder_is_refused(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.pipeline.export.session.WAIT", 0.05)
    (tmp_path / ".millrace").mkdir()
    with open(tmp_path / LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        with pytest.raises(UsageError, match="another process exports into") as raised:
            written(planned(dataset), dataset, tmp_path)
    assert "process 4711" in str(raised.value)


def test_the_end_of_an_export_takes_nothing_of_one_that_begins_then(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as the lock's file is gone another process may lock a new one and write."""
    unlink = os.unlink
    begun: list[Path] = []

    def unlinked(path: Path | str, *arguments: Any, **named: Any) -> None:
        unlink(path, *arguments, **named)
        if str(path) == str(tmp_path / LOCK):
            begun.extend([tmp_path / LOCK, tmp_path / ".millrace" / "aside" / "new"])
            begun[1].parent.mkdir(exist_ok=True)
            for file in begun:
                file.write_text("of the other")

    monkeypatch.setattr("os.unlink", unlinked)
    written(planned(dataset), dataset, tmp_path)
    assert [file.read_text() for file in begun] == ["of the other"] * 2


def test_who_waited_for_an_export_to_end_keeps_a_third_one_out(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that ended has removed the lock's file, and the one that waited had it open by then."""
    plan, folder = planned(dataset), Folder(str(tmp_path))
    manifest = written(plan, dataset, tmp_path)
    assert manifest is not None
    entered, leave = threading.Event(), threading.Event()

    def wait_for_it() -> None:
        with ExportSession.open(plan, Folder(str(tmp_path))):
            entered.set()
            leave.wait(30)

    monkeypatch.setattr("millrace.pipeline.export.session.WAIT", 20.0)
    second = threading.Thread(target=wait_for_it)
    with ExportSession.open(plan, folder) as session:
        second.start()
        sleep(0.3)
        session.finish(manifest.shards, [])
    try:
        assert entered.wait(20)
        monkeypatch.setattr("millrace.pipeline.export.session.WAIT", 0.1)
        with pytest.raises(UsageError, match="this process exports"), ExportSession.open(plan, folder):
            pass
    finally:
        leave.set()
        second.join()


@pytest.mark.parametrize(
    "error", [DeadlineError("slow"), UsageError("odd"), ConnectionResetError(104, "reset"), KeyError(1)]
)
def test_an_error_in_the_midst_of_an_export_stays_what_it_is(
    error: Exception, dataset: Dataset, tmp_path: Path
) -> None:
    """It is neither another process in the folder nor a folder that cannot be written, and what lies there stays."""
    with pytest.raises(type(error)) as raised, ExportSession.open(planned(dataset), Folder(str(tmp_path))):
        raise error
    assert raised.value is error
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert list((tmp_path / ".millrace").glob("plan-*"))


def test_a_damaged_manifest_is_not_written_over(dataset: Dataset, tmp_path: Path) -> None:
    written(planned(dataset), dataset, tmp_path)
    path = tmp_path / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"seed": 7', b'"seed": 9'))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match="no manifest"):
        written(planned(dataset), dataset, tmp_path)


@pytest.mark.parametrize("name", ["with spaces", "with 'quotes' and \"more\"", "two\nlines", "ünï ☃", "%20#?&=", "-rf"])
def test_any_name_is_a_folder(name: str, dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, epochs=1, format="imagefolder")
    for _ in range(2):
        assert written(plan, dataset, tmp_path / name) is not None
    assert (tmp_path / name / MANIFEST).exists()
    assert os.listdir(tmp_path) == [name]


def test_what_cannot_be_written_is_an_error_of_the_folder(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        written(planned(dataset), dataset, tmp_path / "file" / "below")
    with pytest.raises(DataError, match="cannot be"):
        written(planned(dataset), dataset, tmp_path / "file")


def test_a_full_disk_leaves_nothing_torn_and_says_so(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(dataset)
    written(plan, dataset, tmp_path / "unbroken")
    real, count = os.fsync, [0]

    def full(handle: int) -> None:
        count[0] += 1
        if count[0] == 12:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="is full"):
        written(plan, dataset, tmp_path / "full")
    monkeypatch.setattr("os.fsync", real)
    assert not (tmp_path / "full" / MANIFEST).exists()
    assert not list((tmp_path / "full" / ".millrace" / "aside").iterdir())
    written(plan, dataset, tmp_path / "full")
    assert contents(tmp_path / "full") == contents(tmp_path / "unbroken")


def test_a_folder_that_another_machine_does_not_see(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.pipeline.export.session.PAUSE", 0.01)
    plan = planned(dataset)
    with pytest.raises(UsageError, match="not the same folder") as raised:
        check_claimed(plan, Folder(str(tmp_path / "elsewhere")), "node abc")
    assert "node abc" in str(raised.value)
    assert not (tmp_path / "elsewhere").exists()
    with ExportSession.open(plan, Folder(str(tmp_path / "a"))):
        check_claimed(plan, Folder(str(tmp_path / "a")), "node abc")
    written(plan, dataset, tmp_path / "a")
    check_claimed(plan, Folder(str(tmp_path / "a")), "node abc")
