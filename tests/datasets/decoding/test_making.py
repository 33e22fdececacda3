"""Whole datasets of pictures: any number of threads, bad files, sizes that differ, changes that are noticed."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFile

from millrace import datasets
from millrace.datasets import Reading, decoding, images
from millrace.datasets.decoding import heads as head_rules
from millrace.datasets.decoding import making, work
from millrace.datasets.decoding import pixels as pixel_rules
from millrace.datasets.importers import Picture
from millrace.datasets.importers.recognising import survey
from millrace.datasets.table_files import write_tables
from millrace.errors import FormatError
from tests.datasets.importers.drawn import folders, pixels

SCANDIR = os.scandir


def table_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.arrow")}


def test_the_table_is_the_same_for_any_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, found = folders(tmp_path / "mine", {"a": 21, "b": 30}, height=40), []
    for threads in (1, 2, 7):
        monkeypatch.setattr("millrace.datasets.decoding.making.cores", lambda threads=threads: threads)
        cache = tmp_path / f"cache{threads}"
        datasets.load(datasets.find(str(mine), Reading(size=(16, 16))), cache=cache)
        found.append(table_bytes(next((cache / "datasets").iterdir())))
    assert found[0] == found[1] == found[2]
    assert set(found[0]) == {"train.arrow", "test.arrow"}


class Backwards:
    """A folder's entries, the last ones first."""

    def __init__(self, folder: str | int) -> None:
        with SCANDIR(folder) as entries:
            self._found = sorted(entries, key=lambda entry: entry.name, reverse=True)

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        return iter(self._found)

    def __exit__(self, *error: object) -> None:
        pass


def test_the_table_is_the_same_for_any_order_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, found = folders(tmp_path / "mine", {"a": 5, "b/c": 3, "b/d": 4}), []
    for cache in (tmp_path / "cache", tmp_path / "backwards"):
        datasets.load(datasets.find(str(mine)), cache=cache)
        found.append(table_bytes(next((cache / "datasets").iterdir())))
        monkeypatch.setattr(os, "scandir", Backwards)
    assert found[0] == found[1]


def test_other_libraries_that_decode_make_another_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = datasets.find(str(folders(tmp_path / "mine", {"a": 2, "b": 2})))
    here = datasets.dataset_folder(spec, cache=tmp_path)
    assert any(one.startswith("Pillow ") for one in decoding.versions())
    assert any(one.startswith("libjpeg_turbo ") for one in decoding.versions())
    monkeypatch.setattr(making, "versions", lambda: ["Pillow 1.0"])
    assert datasets.dataset_folder(spec, cache=tmp_path) != here


def test_the_table_is_the_one_that_arrays_are_written_as(tmp_path: Path) -> None:
    """Written in place or in one go: the same bytes."""
    mine = folders(tmp_path / "mine", {"a": 5, "b": 5})
    spec = datasets.find(str(mine))
    opened = datasets.load(spec, cache=tmp_path)
    train, test = ((np.array(images(one)), np.array(datasets.labels(one))) for one in (opened.train, opened.test))
    arrays = datasets.Arrays(*train, *test)
    (tmp_path / "again").mkdir()
    again = write_tables(tmp_path / "again", arrays, spec)
    assert again.digest == opened.digest
    assert table_bytes(tmp_path / "again") == table_bytes(datasets.dataset_folder(spec, cache=tmp_path))


def spoilt(root: Path) -> Path:
    """Ten pictures a class, three of them bad in different ways."""
    folders(root, {"cat": 10, "dog": 10}, height=40)
    (root / "cat" / "001.png").write_bytes(b"")
    (root / "cat" / "003.png").write_bytes(b"hello")
    whole = (root / "dog" / "009.png").read_bytes()
    (root / "dog" / "009.png").write_bytes(whole[: len(whole) // 2])
    return root


@pytest.mark.parametrize("size", [None, (12, 12)])
def test_bad_pictures_are_refused_all_at_once(tmp_path: Path, size: tuple[int, int] | None) -> None:
    mine = spoilt(tmp_path / "mine")
    with pytest.raises(FormatError, match="3 of 20 pictures cannot be taken") as caught:
        datasets.load(datasets.find(str(mine), Reading(size=size)), cache=tmp_path)
    for line in ("cat/001.png: zero bytes", "cat/003.png: no image", "dog/009.png: truncated"):
        assert line in str(caught.value)
    folder = next((tmp_path / "datasets").iterdir())
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_at_most_twenty_are_named() -> None:
    bad = {f"{number:02}.png": "no image" for number in range(25)}
    error = decoding.refused(bad, 30)
    assert error.what == "25 of 30 pictures cannot be taken"
    assert str(error).count("no image") == 20
    assert "and 5 more" in str(error)


def test_bad_pictures_can_be_left_out(tmp_path: Path) -> None:
    mine = spoilt(tmp_path / "mine")
    spec = datasets.find(str(mine), Reading(skip_bad=True))
    made = datasets.load(spec, cache=tmp_path)
    assert made.left_out == {
        "cat/001.png": "zero bytes",
        "cat/003.png": "no image",
        "dog/009.png": "truncated",
    }
    assert made.train.num_rows + made.test.num_rows == 17
    assert (spec.title, made.spec.title) == ("mine: 20 images (class folders)", "mine: 17 images (class folders)")
    drawn = {np.moveaxis(pixels(i + 50 * c, 40), -1, 0).tobytes() for c in range(2) for i in range(10)}
    found = [image.tobytes() for table in (made.train, made.test) for image in images(table)]
    assert len(set(found)) == 17
    assert set(found) < drawn
    again = datasets.load(spec, cache=tmp_path)
    assert (again.left_out, again.spec.title) == (made.left_out, made.spec.title)


def test_sizes_that_differ_are_listed(tmp_path: Path) -> None:
    mine = folders(tmp_path / "mine", {"a": 3, "b": 3})
    Image.fromarray(pixels(0, 9, 20)).save(mine / "a" / "wide.png")
    with pytest.raises(FormatError, match=r"12 × 10 \(6 times\), 9 × 20 \(1 times\)"):
        datasets.load(datasets.find(str(mine)), cache=tmp_path)


@pytest.mark.parametrize(("height", "width"), [(7, 9), (40, 513)])
def test_a_size_that_nobody_asked_for_is_within_bounds(tmp_path: Path, height: int, width: int) -> None:
    """Photographs of one camera would make a table of gigabytes in silence."""
    mine = folders(tmp_path / "mine", {"a": 2, "b": 2}, height=height, width=width)
    with pytest.raises(FormatError, match=f"the pictures are {height} × {width}, and no size was asked for"):
        datasets.load(datasets.find(str(mine)), cache=tmp_path)
    assert datasets.load(datasets.find(str(mine), Reading(size=(8, 8))), cache=tmp_path).shape == (3, 8, 8)


def test_channels_follow_the_pictures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(pixels(number)[..., 0]).save(tmp_path / "mine" / name / f"{number}.png")
    assert datasets.load(datasets.find(str(tmp_path / "mine")), cache=tmp_path).shape == (1, 12, 10)
    Image.fromarray(pixels(4)).save(tmp_path / "mine" / "a" / "colour.png")
    assert datasets.load(datasets.find(str(tmp_path / "mine")), cache=tmp_path).shape == (3, 12, 10)
    grey = datasets.find(str(tmp_path / "mine"), Reading(channels=1))
    assert datasets.load(grey, cache=tmp_path).shape == (1, 12, 10)


def test_where_the_size_is_given_few_heads_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they say beyond that one picture has colours is not asked for."""
    monkeypatch.setattr(head_rules, "AT_ONCE", 4)
    heads: list[str] = []
    real = head_rules._head

    def counted(one: Picture, reading: Reading) -> head_rules._Head | str:
        heads.append(one.name)
        return real(one, reading)

    monkeypatch.setattr(head_rules, "_head", counted)
    mine = folders(tmp_path / "mine", {"a": 12, "b": 12})
    assert datasets.load(datasets.find(str(mine), Reading(size=(8, 8))), cache=tmp_path).shape == (3, 8, 8)
    assert len(heads) <= 4
    for name in ("a", "b"):
        for number in range(12):
            Image.fromarray(pixels(number)[..., 0]).save(mine / name / f"{number:03}.png")
    heads.clear()
    assert datasets.load(datasets.find(str(mine), Reading(size=(8, 8))), cache=tmp_path).shape == (1, 8, 8)
    assert len(heads) == 24


def test_heads_are_read_without_the_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow decodes a PNG to say how it is turned, unless that stands before its pixels."""
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels(0)).save(tmp_path / "a" / "plain.png")
    Image.fromarray(pixels(0)).save(tmp_path / "a" / "turned.png", exif=exif)
    whole = (tmp_path / "a" / "turned.png").read_bytes()
    begin = whole.index(b"eXIf") - 4
    end = begin + 12 + int.from_bytes(whole[begin : begin + 4], "big")
    late = whole[:begin] + whole[end:-12] + whole[begin:end] + whole[-12:]  # as the standard allows
    shown = folders(tmp_path, {"b": 1})
    decoded: list[Image.Image] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: decoded.append(self))
    found = decoding.look(survey(shown, Reading()).pictures("train"), Reading(), 1)
    assert dict(found.sizes) == {(12, 10): 2, (10, 12): 1}
    assert not decoded
    monkeypatch.undo()
    (tmp_path / "a" / "late.png").write_bytes(late)
    found = decoding.look(survey(shown, Reading()).pictures("train"), Reading(), 1)
    assert dict(found.sizes) == {(12, 10): 2, (10, 12): 2}


def test_those_who_decode_the_same_folder_at_once_make_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, seen = folders(tmp_path / "mine", {"a": 20, "b": 20}, height=40), []

    def counted(picture: Image.Image, form: decoding.Form) -> npt.NDArray[np.uint8]:
        seen.append(picture)
        return pixel_rules.decoded(picture, form)

    monkeypatch.setattr(making, "decoded", counted)
    specs = [datasets.find(str(mine)) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda spec: datasets.load(spec, cache=tmp_path), specs))
    assert len({one.digest for one in found}) == 1
    assert len(seen) == 40
    folder = datasets.dataset_folder(specs[0], cache=tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "table.json", "test.arrow", "train.arrow"]


def test_an_error_in_one_thread_ends_the_others() -> None:
    seen = []

    def take(row: int) -> None:
        seen.append(row)
        if row == 20:
            raise FormatError("enough")

    with pytest.raises(FormatError, match="enough"):
        work.over_rows(1_000_000, take, 3)
    assert len(seen) < 900_000


def test_every_row_is_taken_once() -> None:
    seen: list[int] = []
    work.over_rows(1000, seen.append, 4)
    assert sorted(seen) == list(range(1000))
