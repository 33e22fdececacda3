"""The contact sheet: every pixel of every picture is there, enlarged; labels say what was drawn."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from millrace.reports.contact_sheet import Row, Tile, contact_sheet, parameter_lines, save
from millrace.reports.glyphs import spelled

DRAWN = {"dx": 1.24, "dy": -0.44, "angle": -5.0, "scale_x": 0.9, "scale_y": 1.1, "shear": 0.004, "flip": 0.0}


def test_parameters_are_signed_rounded_and_named() -> None:
    minus = "\N{MINUS SIGN}"
    assert parameter_lines(DRAWN) == (f"dx +1.2  dy {minus}0.4", f"turn {minus}5.0°", "size 0.90 × 1.10", "shear 0.00")
    assert parameter_lines({**DRAWN, "flip": 1.0})[1].endswith("mirrored")


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 8, 8), (3, 32, 32), (1, 5, 9), (3, 200, 150)])
def test_every_picture_stands_on_the_sheet_enlarged_by_a_whole_number(channels: int, height: int, width: int) -> None:
    pixels = np.arange(channels * height * width, dtype=np.uint64).reshape(channels, height, width)
    tile = Tile((pixels * 37 % 251).astype(np.uint8), parameter_lines(DRAWN))
    rows = [Row(f"class {n}", f"sample {n}", Tile(tile.pixels), (tile, tile)) for n in range(3)]
    sheet = np.asarray(contact_sheet("a title", "in detail", ["original", "epoch 1", "epoch 2"], rows))
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3
    factor = max(1, round(112 / max(height, width)))
    wanted = np.moveaxis(np.broadcast_to(tile.pixels, (3, height, width)), 0, -1)
    enlarged = wanted.repeat(factor, 0).repeat(factor, 1)
    assert _count(sheet, enlarged) == 9


@pytest.mark.parametrize(("title", "detail"), [("long " * 40, "short"), ("short", "long " * 80)])
def test_a_heading_wider_than_the_pictures_is_not_cut(title: str, detail: str) -> None:
    tile = Tile(np.zeros((1, 8, 8), np.uint8), parameter_lines(DRAWN))
    rows = [Row("class 0", "sample 0", tile, (tile,))]
    sheet = np.asarray(contact_sheet(title.strip(), detail.strip(), ["original", "epoch 1"], rows))
    heading = (sheet[:70] != 255).any(axis=(0, 2))
    assert heading.nonzero()[0].max() < sheet.shape[1] - 10  # the margin on the right stays white


def test_names_that_the_font_cannot_draw_are_told_apart() -> None:
    """Japanese names would all be the same boxes; they stand as their numbers, what the font has stays."""
    assert spelled("é ß Ж α 日本") == "é ß Ж α \\u65e5\\u672c"
    assert spelled("a\tb", bold=True) == "a\\tb"
    tile = Tile(np.zeros((1, 8, 8), np.uint8))
    sheets = [contact_sheet("t", "d", ["original"], [Row(name, "sample 0", tile, ())]) for name in ("犬", "猫")]
    assert not np.array_equal(np.asarray(sheets[0]), np.asarray(sheets[1]))
    plain = contact_sheet("t", "d", ["original"], [Row("\\u72ac", "sample 0", tile, ())])
    assert np.array_equal(np.asarray(sheets[0]), np.asarray(plain))


def _count(sheet: npt.NDArray[np.uint8], picture: npt.NDArray[np.uint8]) -> int:
    """How often the picture stands on the sheet."""
    height, width = picture.shape[:2]
    corners = np.argwhere((sheet[: -height + 1 or None, : -width + 1 or None] == picture[0, 0]).all(axis=2))
    return sum(np.array_equal(sheet[y : y + height, x : x + width], picture) for y, x in corners)


def test_save_writes_whole_files_and_leaves_nothing_aside(tmp_path: Path) -> None:
    picture = Image.new("RGB", (3, 2), "#102030")
    save(picture, tmp_path / "a.png")
    save(picture, tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with Image.open(tmp_path / "a.png") as read:
        assert read.size == (3, 2)
        assert read.getpixel((0, 0)) == (0x10, 0x20, 0x30)
    with pytest.raises(OSError, match="No such file"):
        save(picture, tmp_path / "absent" / "a.png")
