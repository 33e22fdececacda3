"""Files that are none, names that cannot be written, links that lead nowhere: named, never waited for."""

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace import datasets
from millrace.datasets import Reading
from millrace.datasets.decoding import heads, pixels
from millrace.datasets.importers import class_folders
from millrace.datasets.importers.inventory import Inventory, shown_name
from millrace.datasets.importers.lazy_pictures import FileSlice
from millrace.datasets.importers.recognising import survey
from millrace.datasets.importers.remarks import worth_knowing
from millrace.errors import DataError, FormatError, UsageError
from tests.datasets.importers.drawn import folders
from tests.datasets.importers.encoded import png


def within(seconds: float, work: Any) -> Any:
    """What `work` returns or raises; an error where it takes longer, instead of a test that hangs."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, "it waits for ever"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


@pytest.mark.parametrize("reading", [Reading(), Reading(size=(8, 8), channels=3)])
def test_a_pipe_in_the_place_of_a_picture_is_not_waited_for(tmp_path: Path, reading: Reading) -> None:
    mine = folders(tmp_path / "mine", {"cat": 2, "dog": 2})
    os.mkfifo(mine / "cat" / "pipe.png")
    with pytest.raises(FormatError, match=r"cat/pipe.png: unreadable: not a file"):
        within(20, lambda: datasets.load(datasets.find(str(mine), reading), cache=tmp_path))


@pytest.mark.parametrize("name", ["train.parquet", "train.tar", "train.arrow"])
def test_a_pipe_in_the_place_of_a_table_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="not a file"):
        within(20, lambda: survey(tmp_path, Reading()))


def test_a_pipe_to_which_a_parquet_file_leads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    rows = [{"bytes": None, "path": "pipe.png"}, *({"bytes": png(n), "path": None} for n in range(3))]
    image = pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table([image, pa.array([0, 1, 0, 1])], names=["image", "label"]), tmp_path / "a.parquet")
    with pytest.raises(FormatError, match="unreadable: not a file"):
        within(20, lambda: datasets.load(datasets.find(str(tmp_path / "a.parquet")), cache=tmp_path))


def test_links_that_lead_to_themselves_are_passed_over_or_named(tmp_path: Path) -> None:
    mine = folders(tmp_path / "mine", {"cat": 2, "dog": 2})
    (mine / "cat" / "self").symlink_to("self")
    (mine / "itself").symlink_to("itself")
    (mine / "cat" / "loop.png").symlink_to("loop.png")
    with pytest.raises(FormatError, match="1 of 5 pictures cannot be taken") as caught:
        datasets.load(datasets.find(str(mine)), cache=tmp_path)
    assert "cat/loop.png: unreadable: Too many levels of symbolic links" in str(caught.value)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = folders(tmp_path / "mine", {"cat": 2, "dog": 2, "dog/secret": 1})
    real = os.open

    def refusing(path: Any, *more: Any, **named: Any) -> int:
        if str(path).endswith("secret"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *more, **named)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(DataError, match="dog/secret cannot be read") as caught:
        survey(mine, Reading())
    assert caught.value.got == "Permission denied"


def test_names_that_cannot_be_written_are_escaped_and_stay_different(tmp_path: Path) -> None:
    for name in (b"caf\xe9", b"caf\xe8", b"new\nline"):
        folder = os.path.join(os.fsencode(tmp_path), b"mine", name)
        os.makedirs(folder)
        for number in range(2):
            Path(os.fsdecode(os.path.join(folder, b"%d.png" % number))).write_bytes(png(number))
    bad = os.path.join(os.fsencode(tmp_path), b"mine", b"new\nline", b"\xfe\n.png")
    Path(os.fsdecode(bad)).write_bytes(b"no picture")
    with pytest.raises(FormatError) as caught:
        datasets.load(datasets.find(str(tmp_path / "mine")), cache=tmp_path)
    assert caught.value.got == r"new\nline/\xfe\n.png: no image"
    made = datasets.load(datasets.find(str(tmp_path / "mine"), Reading(skip_bad=True)), cache=tmp_path)
    assert made.classes == (r"caf\xe8", r"caf\xe9", r"new\nline")
    assert made.left_out == {r"new\nline/\xfe\n.png": "no image"}


def test_folders_within_each_other_may_be_as_many_as_a_path_can_name(tmp_path: Path) -> None:
    mine = folders(tmp_path, {"cat": 1, "dog": 1})
    deep = str(mine / "cat")
    while len(deep) < 3_000:
        deep += "/d"
        os.mkdir(deep)
    Path(f"{deep}/1.png").write_bytes(png(1))
    try:
        assert survey(mine, Reading()).inventory.counts == {"train": (2, 1)}
    finally:  # what clears up after tests goes down step by step, and not so far
        os.unlink(f"{deep}/1.png")
        while deep.endswith("/d"):
            os.rmdir(deep)
            deep = deep.removesuffix("/d")


def test_what_is_said_of_odd_names_can_be_written(tmp_path: Path) -> None:
    folders(tmp_path, {"cat": 1, "dog": 1, os.fsdecode(b"cat/\xff"): 1})
    (tmp_path / "cat" / os.fsdecode(b"a.\xfe")).write_bytes(b"")
    (tmp_path / os.fsdecode(b"\xfd")).mkdir()
    notes = survey(tmp_path, Reading()).inventory.notes
    assert "\n".join(notes).isascii()
    assert r"\xfd/ holds no pictures and is no class" in notes


def test_plain_names_are_shown_as_they_are() -> None:
    for name in ("cat", "Käfer ünd 犬", "a b", "é"):
        assert shown_name(name) == name
    assert shown_name("a\ud800\x1b[2J") == r"a\ud800\x1b[2J"


def test_halves_of_characters_in_a_list_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(png(0))
    rows = '{"file_name": "0.png", "label": 0}\n{"file_name": "\\ud800.png", "label": 1}\n'
    (tmp_path / "metadata.jsonl").write_text(rows)
    with pytest.raises(FormatError, match="row 2 names no picture"):
        survey(tmp_path, Reading())


def test_names_do_not_count_from_a_number(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,label\n0.png,cat\n1.png,dog\n")
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    with pytest.raises(UsageError, match="names, which do not count from a number"):
        survey(tmp_path, Reading(labels_from=1))


@pytest.mark.parametrize("reading", [Reading(), Reading(size=(8, 8), channels=3)])
def test_more_bytes_than_a_picture_may_have_are_none(
    tmp_path: Path, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (class_folders, heads, pixels):
        monkeypatch.setattr(module, "MOST_BYTES", 1 << 20)
    mine = folders(tmp_path / "mine", {"cat": 2, "dog": 2})
    with open(mine / "cat" / "000.png", "r+b") as file:
        file.truncate((1 << 20) + 1)  # a picture, and zeros after it
    with pytest.raises(FormatError, match=r"cat/000.png: too large: more than 1 MB"):
        datasets.load(datasets.find(str(mine), reading), cache=tmp_path)


def test_a_slice_is_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(10)))
    assert FileSlice(str(tmp_path / "a"), 3, 4)() == bytes(range(3, 7))
    assert FileSlice(str(tmp_path / "a"), 8, 1 << 40)() == b"\x08\x09"
    assert FileSlice(str(tmp_path / "a"), 12, 4)() == b""
    with pytest.raises(OSError, match="not a file"):
        FileSlice(str(tmp_path), 0, 1)()


def test_what_is_worth_knowing() -> None:
    def said(**more: Any) -> list[str]:
        return list(worth_knowing(Inventory("kind", **more)))

    assert said(classes=("a", "b"), counts={"train": (1, 1)}) == []
    assert said(classes=("a", "b"), counts={"train": (1, 0), "test": (1, 1)}) == ["classes with nothing to train on: b"]
    held = {"train": (1, 0), "validation": (2, 3)}
    assert said(classes=("Cat", "cat"), counts=held) == [
        "there is no test split: the one for validation is tested on",
        "classes with nothing to train on: cat",
        "'Cat' and 'cat' are 2 classes, whose names hardly differ",
    ]
    assert said(classes=("a", "b"), counts={**held, "test": (1, 1)}) == [
        "validation: 5 images train too; `validation` sets some apart"
    ]
