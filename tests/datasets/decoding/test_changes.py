"""Files that change after they were decoded are noticed, whatever their time says; the same are not decoded again."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from millrace import datasets
from millrace.datasets import Reading
from millrace.datasets.decoding import pixels as pixels_made
from millrace.datasets.importers.lazy_pictures import FileSlice
from tests.datasets.importers.drawn import folders, pixels


def test_a_changed_file_is_noticed_and_nothing_is_decoded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = folders(tmp_path / "mine", {"a": 3, "b": 3})
    first = datasets.load(datasets.find(str(mine)), cache=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(pixels_made, "fitted", None)
        assert datasets.load(datasets.find(str(mine)), cache=tmp_path).digest == first.digest
    Image.fromarray(pixels(77)).save(mine / "a" / "000.png")
    os.utime(mine / "a" / "000.png", ns=(1, 1))
    assert datasets.load(datasets.find(str(mine)), cache=tmp_path).digest != first.digest


def test_a_file_that_changed_while_its_time_and_size_stayed_is_noticed(tmp_path: Path) -> None:
    """As tools do that keep a file's time, and archives whose files all have the same one."""
    mine = tmp_path / "mine"
    for number, name in enumerate(("a/0.bmp", "a/1.bmp", "b/0.bmp", "b/1.bmp")):
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(number)).save(mine / name)
        os.utime(mine / name, ns=(10**18, 10**18))
    first = datasets.load(datasets.find(str(mine)), cache=tmp_path)
    before = (mine / "a" / "0.bmp").stat()
    Image.fromarray(pixels(77)).save(mine / "a" / "0.bmp")
    os.utime(mine / "a" / "0.bmp", ns=(10**18, 10**18))
    after = (mine / "a" / "0.bmp").stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    spec = datasets.find(str(mine))
    assert not datasets.is_cached(spec, cache=tmp_path)
    made = datasets.load(spec, cache=tmp_path)
    assert made.digest != first.digest
    assert datasets.is_cached(spec, cache=tmp_path)
    assert len(list((tmp_path / "datasets").iterdir())) == 1  # made again in its place


def test_files_that_were_touched_and_are_the_same_are_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As copies of data and cache are that keep times, such as those in an image of a container."""
    mine = folders(tmp_path / "mine", {"a": 3, "b": 3})
    (mine / "b" / "001.png").write_bytes(b"no picture")
    reading = Reading(skip_bad=True)
    first = datasets.load(datasets.find(str(mine), reading), cache=tmp_path)
    os.link(mine / "a" / "000.png", tmp_path / "link")
    monkeypatch.setattr(pixels_made, "fitted", None)
    read: list[FileSlice] = []
    real = FileSlice.__call__

    def counted(self: FileSlice) -> bytes:
        read.append(self)
        return real(self)

    monkeypatch.setattr(FileSlice, "__call__", counted)
    for reads in (6, 0):  # the second time nothing was touched since
        again = datasets.load(datasets.find(str(mine), reading), cache=tmp_path)
        assert (again.digest, again.left_out) == (first.digest, first.left_out)
        assert len(read) == reads
        read.clear()


def test_a_table_from_before_files_were_asked_when_they_were_touched_opens(tmp_path: Path) -> None:
    mine = folders(tmp_path / "mine", {"a": 3, "b": 3})
    spec = datasets.find(str(mine))
    datasets.load(spec, cache=tmp_path)
    path = datasets.dataset_folder(spec, cache=tmp_path) / "table.json"
    manifest = json.loads(path.read_bytes())
    assert manifest.pop("touched") == spec.touched
    path.write_text(json.dumps(manifest))
    assert datasets.is_cached(spec, cache=tmp_path)
