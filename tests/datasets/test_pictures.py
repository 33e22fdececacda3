"""People's pictures, prepared as MNIST was, and what is none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from millrace.datasets import Reading
from millrace.datasets.pictures import prepared, prepared_as_read, read_picture
from millrace.errors import DataError, FormatError

MNIST = (1, 28, 28)


def bar(size: tuple[int, int], box: tuple[int, int, int, int], paper: str = "white", ink: str = "black") -> Image.Image:
    picture = Image.new("RGB", size, paper)
    ImageDraw.Draw(picture).rectangle(box, fill=ink)
    return picture


@pytest.mark.parametrize("paper", ["white", "black"])
@pytest.mark.parametrize("box", [(10, 20, 29, 99), (300, 5, 339, 164), (150, 100, 154, 119)])
def test_ink_stands_in_the_middle_twenty_pixels_high(box: tuple[int, int, int, int], paper: str) -> None:
    ink = {"white": "black", "black": "white"}[paper]
    got = prepared(bar((400, 200), box, paper, ink), MNIST, "digits")[0]
    rows, columns = np.flatnonzero(got.max(axis=1) > 60), np.flatnonzero(got.max(axis=0) > 60)
    assert (rows[0], rows[-1]) == (4, 23)
    assert len(columns) == 5
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(13.5, abs=0.5)
    assert got.max() == 255
    assert not got[:4].any()


def test_the_centre_of_mass_is_in_the_middle() -> None:
    picture = bar((100, 100), (20, 20, 79, 79))
    ImageDraw.Draw(picture).rectangle((20, 20, 60, 60), fill="white")  # an L, heavy at the lower right
    got = prepared(picture, MNIST, "digits")[0].astype(float)
    y, x = np.mgrid[0:28, 0:28]
    assert (got * y).sum() / got.sum() == pytest.approx(13.5, abs=0.51)
    assert (got * x).sum() / got.sum() == pytest.approx(13.5, abs=0.51)


def test_small_digits_fill_their_field() -> None:
    got = prepared(bar((50, 50), (10, 10, 20, 40)), (1, 8, 8), "digits")[0]
    assert (got.max(axis=1) > 60).all()
    assert not got[:, 0].any()


def test_an_empty_sheet_is_an_empty_image() -> None:
    assert not prepared(Image.new("RGB", (30, 30), "white"), MNIST, "digits").any()


def test_photographs_lose_their_sides() -> None:
    picture = Image.new("RGB", (300, 100), "red")
    ImageDraw.Draw(picture).rectangle((100, 0, 199, 99), fill=(0, 0, 255))
    got = prepared(picture, (3, 32, 32), "photos")
    assert got.shape == (3, 32, 32)
    assert got[2].min() > 200
    assert got[0, :, 4:-4].max() < 30


def test_transparent_is_paper_and_turned_is_turned(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    ImageDraw.Draw(clear).rectangle((10, 5, 14, 34), fill=(0, 0, 0, 255))
    clear.save(tmp_path / "clear.png")
    got = prepared(read_picture(tmp_path / "clear.png"), MNIST, "digits")[0]
    assert got.max() == 255
    assert (got > 0).mean() < 0.2
    picture = bar((60, 40), (0, 0, 29, 39), "white", "red")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg").size == (40, 60)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(FormatError, match="no picture"):
        read_picture(tmp_path / "text.png")
    with pytest.raises(DataError, match=r"cannot be read"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(DataError, match="is a folder"):
        read_picture(tmp_path)
    bar((40, 40), (1, 1, 9, 9)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-30])
    with pytest.raises((DataError, FormatError)):
        read_picture(tmp_path / "cut.png")
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    with pytest.raises(FormatError, match="too large"):
        read_picture(tmp_path / "huge.png")


@pytest.mark.parametrize("loaded", [False, True])
def test_a_picture_of_the_users_stays_as_it_is(tmp_path: Path, loaded: bool) -> None:
    """A large JPEG is decoded at a smaller scale: not the one that the user holds."""
    y, x = np.mgrid[0:300, 0:400]
    drawn = np.stack([x // 2, y // 2, (x + y) // 4], -1).astype(np.uint8)
    Image.fromarray(drawn).save(tmp_path / "large.jpg", quality=95)
    reading = Reading(size=(20, 30), fit="stretch")
    from_file = prepared_as_read(tmp_path / "large.jpg", (3, 20, 30), reading)
    with Image.open(tmp_path / "large.jpg") as held:
        if loaded:
            held.load()
        for _ in range(2):
            found = prepared_as_read(held, (3, 20, 30), reading)
            assert held.size == (400, 300)
            assert np.abs(found.astype(int) - from_file).max() <= (3 if loaded else 0)
        assert np.array_equal(np.asarray(held), np.asarray(Image.open(tmp_path / "large.jpg")))
