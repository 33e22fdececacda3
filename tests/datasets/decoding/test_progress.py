"""What people see while pictures are decoded: how much is done of how much, and the time left."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from millrace import datasets
from millrace.commands import downloads
from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.datasets import Reading
from millrace.datasets.decoding import making, work
from millrace.datasets.decoding.pixels import Form, U8Array, decoded
from tests.datasets.importers.drawn import folders

PLAIN = Reading(size=(8, 8))
WHOLE = 40 * 3 * 8 * 8  # bytes of pixels


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture takes two milliseconds or more, and what is done is said far more often than that."""

    def slow(picture: Image.Image, form: Form) -> U8Array:
        time.sleep(0.002)
        return decoded(picture, form)

    monkeypatch.setattr(making, "decoded", slow)
    monkeypatch.setattr(work, "SAY", 0.001)
    monkeypatch.setattr(work, "CHUNK", 1)


@pytest.mark.usefixtures("slowly")
def test_decoding_says_how_far_it_is(tmp_path: Path) -> None:
    mine, said = folders(tmp_path / "mine", {"a": 20, "b": 20}), list[tuple[str, int, int | None]]()
    datasets.load(datasets.find(str(mine), PLAIN), cache=tmp_path / "cache", progress=lambda *one: said.append(one))
    assert {(name, total) for name, _, total in said} == {("decoding mine", WHOLE)}
    done = [one for _, one, _ in said]
    assert done == sorted(done)
    assert done[-1] == WHOLE
    assert all(one % (3 * 8 * 8) == 0 for one in done)
    assert len(set(done)) > 3
    # The rows of the test split come after those of the training split, not beside them.
    assert any(32 * 3 * 8 * 8 < one < WHOLE for one in done)


@pytest.mark.usefixtures("slowly")
def test_the_time_left_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(downloads, "QUIET", 0.0)
    mine = folders(tmp_path / "mine", {"a": 20, "b": 20})
    with Downloads(Screen()) as progress:
        datasets.load(datasets.find(str(mine), PLAIN), cache=tmp_path / "cache", progress=progress)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "decoding mine: 7.7 kB"
    assert any(re.fullmatch(r"decoding mine: [\d.]+ k?B of 7\.7 kB, [\d.]+ m?s left", line) for line in lines)


def test_arrays_say_how_far_they_are(tmp_path: Path) -> None:
    said = list[tuple[str, int, int | None]]()
    images, labels = np.zeros((40, 8, 8), np.uint8), np.arange(40) % 2
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=labels, x_test=images[:4], y_test=labels[:4])
    found = datasets.find(str(tmp_path / "mine.npz"))
    datasets.load(found, cache=tmp_path / "cache", progress=lambda *one: said.append(one))
    assert {(name, total) for name, _, total in said} == {("reading mine.npz", 44 * 64)}
    assert said[-1][1] == 44 * 64


def test_what_is_cached_is_not_decoded_again(tmp_path: Path) -> None:
    mine, said = folders(tmp_path / "mine", {"a": 5, "b": 5}), list[tuple[str, int, int | None]]()
    for _ in range(2):
        said.clear()
        datasets.load(datasets.find(str(mine), PLAIN), cache=tmp_path / "cache", progress=lambda *one: said.append(one))
    assert said == []
