"""What one encoded picture becomes: each rule of `datasets/decoding/pixels.py` on a file made for it."""

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from millrace import datasets
from millrace.datasets import Reading
from millrace.datasets.decoding import BadPicture, Form, decoded, opened
from millrace.errors import OptionError

COLOURS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


def encoded(picture: Image.Image, format: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **more)
    return file.getvalue()


def made(data: bytes, size: tuple[int, int] = (4, 6), channels: int = 3, **reading: Any) -> npt.NDArray[np.uint8]:
    """The pixels as (H, W, C)."""
    read = Reading(**reading)
    return np.moveaxis(decoded(opened(data, read.first_frame), Form(size, channels, read)), 0, -1)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(format: str) -> None:
    assert np.array_equal(made(encoded(Image.fromarray(COLOURS), format)), COLOURS)


def test_webp_and_jpeg_are_what_pillow_decodes() -> None:
    lossless = encoded(Image.fromarray(COLOURS), "WEBP", lossless=True)
    assert np.array_equal(made(lossless), COLOURS)
    jpeg = encoded(Image.fromarray(COLOURS), "JPEG", quality=95)
    assert np.array_equal(made(jpeg), np.asarray(Image.open(io.BytesIO(jpeg))))


def test_large_jpegs_are_decoded_at_the_scale_that_leaves_twice_the_size() -> None:
    y, x = np.mgrid[0:300, 0:400]
    data = encoded(Image.fromarray(np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8)), "JPEG")
    for (height, width), scale in (((40, 50), 2), ((37, 50), 4), ((75, 100), 2), ((76, 100), 1), ((300, 400), 1)):
        whole = Image.open(io.BytesIO(data))
        if scale > 1:
            whole.draft("RGB", (400 // scale, 300 // scale))
        assert whole.size == (400 // scale, 300 // scale)
        expected = np.asarray(whole.resize((width, height), Image.Resampling.BICUBIC))
        assert np.array_equal(made(data, (height, width), fit="stretch"), expected)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(Image.open(io.BytesIO(data)).copy(), "JPEG", exif=exif)
    assert made(turned, (50, 37), fit="crop").shape == (50, 37, 3)


# What the EXIF standard says each orientation shows first: row 0 and column 0 of the picture as it was meant.
UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_pictures_are_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = UPRIGHT[orientation](COLOURS)
    assert np.array_equal(made(encoded(Image.fromarray(COLOURS), exif=exif), expected.shape[:2]), expected)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(("format", "lossless"), [("TIFF", True), ("PNG", True), ("WEBP", True), ("JPEG", False)])
def test_the_head_gives_the_size_of_the_upright_picture(
    tmp_path: Path, format: str, lossless: bool, orientation: int
) -> None:
    """The size that a folder's pictures are decoded to: were it that of the sensor, they would be shrunk and padded."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = COLOURS.repeat(2, 0).repeat(2, 1)
    expected = UPRIGHT[orientation](stored)
    more = {"lossless": True} if format == "WEBP" else {}
    for name in ("a", "b"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(2):
            data = encoded(Image.fromarray(stored), format, exif=exif, **more)
            (tmp_path / "mine" / name / f"{number}.{format.lower()}").write_bytes(data)
    found = datasets.load(datasets.find(str(tmp_path / "mine")), cache=tmp_path / "cache")
    assert found.shape == (3, *expected.shape[:2])
    if lossless:
        assert np.array_equal(np.moveaxis(datasets.images(found.train)[0], 0, -1), expected)


def test_transparent_parts_show_the_background() -> None:
    layer = np.dstack([COLOURS, np.full((4, 6), 255, np.uint8)])
    layer[0, :, 3], layer[1, :, 3] = 0, 128
    data = encoded(Image.fromarray(layer))
    white, red = made(data), made(data, background="#ff0000")
    assert (white[0] == 255).all()
    assert (red[0] == [255, 0, 0]).all()
    half = COLOURS[1] * (128 / 255) + 255 * (127 / 255)
    assert np.abs(white[1] - half).max() <= 1
    assert np.array_equal(white[2:], COLOURS[2:])


def test_palettes_have_their_colours_and_their_transparency() -> None:
    picture = Image.new("P", (6, 4), 1)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((0, 0), 0)
    expected = np.full((4, 6, 3), [40, 50, 60], np.uint8)
    expected[0, 0] = [10, 20, 30]
    assert np.array_equal(made(encoded(picture)), expected)
    assert np.array_equal(made(encoded(picture, "GIF")), expected)
    expected[0, 0] = [0, 0, 255]
    assert np.array_equal(made(encoded(picture, transparency=0), background="blue"), expected)


def test_grey_with_transparency() -> None:
    layer = np.zeros((4, 6, 2), np.uint8)
    layer[..., 0], layer[2:, :, 1] = 77, 255
    grey = made(encoded(Image.fromarray(layer, "LA")), channels=1)[..., 0]
    assert (grey[:2] == 255).all()
    assert (grey[2:] == 77).all()


def test_sixteen_bits_with_a_transparent_value_show_the_background_there() -> None:
    values = np.full((4, 6), 257 * 9, np.uint16)
    values[0] = 257 * 200
    data = encoded(Image.fromarray(values), transparency=257 * 200)
    found = made(data, channels=1, background="black")[..., 0]
    assert (found[0] == 0).all()
    assert (found[1:] == 9).all()
    assert (made(data, background="#ff8000")[0] == [255, 128, 0]).all()


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_inks_of_a_jpeg_are_not_turned_round(mode: str) -> None:
    """Adobe's files hold them inverted, which Pillow undoes."""
    colour = Image.new("RGB", (16, 8), (200, 40, 90)).convert(mode)
    assert np.abs(made(encoded(colour, "JPEG", quality=95), (8, 16)).astype(int) - [200, 40, 90]).max() <= 3


def test_cmyk_becomes_rgb_without_a_profile() -> None:
    inks = np.zeros((4, 6, 4), np.uint8)
    inks[0, :, 0] = inks[1, :, 3] = 255  # cyan, black
    found = made(encoded(Image.fromarray(inks, "CMYK"), "TIFF"))
    assert (found[0] == [0, 255, 255]).all()
    assert (found[1] == 0).all()
    assert (found[2:] == 255).all()


def test_colours_become_grey_by_their_luminance() -> None:
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[0], colours[1], colours[2] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert made(encoded(Image.fromarray(colours)), channels=1)[:, 0, 0].tolist() == [76, 150, 29, 0]


def test_sixteen_bits_of_grey_become_eight() -> None:
    values = np.zeros((4, 6), np.uint16)
    values[0] = [0, 128, 129, 257 * 100, 257 * 100 + 129, 65535]
    data = encoded(Image.fromarray(values))
    assert made(data, channels=1)[0, :, 0].tolist() == [0, 0, 1, 100, 101, 255]
    values[0] = [0, 100, 200, 400, 1000, 65535]
    assert made(encoded(Image.fromarray(values)), channels=1, range="0..1000")[0, :, 0].tolist() == [
        0, 26, 51, 102, 255, 255]  # fmt: skip


def test_float_pixels_need_a_range() -> None:
    data = encoded(Image.fromarray(np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)), "TIFF")
    with pytest.raises(BadPicture, match="float pixels"):
        made(data, channels=1)
    found = made(data, channels=1, range="0..1")
    assert np.array_equal(found.ravel(), np.rint(255 * np.linspace(0, 1, 24, dtype=np.float32)).astype(np.uint8))


def test_colour_profiles_are_ignored() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert np.array_equal(made(encoded(Image.fromarray(COLOURS), icc_profile=profile)), COLOURS)


def solid(height: int, width: int) -> bytes:
    return encoded(Image.new("RGB", (width, height), (10, 200, 30)))


def test_pad_shows_all_of_the_picture_on_the_background() -> None:
    found = made(solid(30, 60), (20, 20), background="black")
    assert (found[:5] == 0).all()
    assert (found[15:] == 0).all()
    assert (found[5:15] == [10, 200, 30]).all()
    tall = made(solid(60, 20), (20, 20))
    assert (tall[:, :6] == 255).all()
    assert (tall[:, 6:13] == [10, 200, 30]).all()  # 20 / 3 = 6.67 columns, rounded
    assert (tall[:, 13:] == 255).all()


def test_crop_shows_the_middle_and_stretch_all() -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    data = encoded(Image.fromarray(wide))
    assert (made(data, (20, 20), fit="crop") == 200).all()
    stretched = made(data, (20, 20), fit="stretch")
    assert (stretched[:, 8:12] == 200).all()
    assert (stretched[:, :4] == 0).all()


def test_resampling_is_antialiased() -> None:
    lines = np.zeros((64, 64), np.uint8)
    lines[:, ::2] = 255
    found = made(encoded(Image.fromarray(lines)), (8, 8), channels=1, fit="stretch")
    assert np.abs(found.astype(int) - 127).max() <= 12  # lines too fine to be seen are grey, not lines of another width


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "zero bytes"),
        (b"text, and no picture at all", "no image"),
        (encoded(Image.fromarray(COLOURS.repeat(20, 0)))[:-40], "truncated"),
        (encoded(Image.fromarray(COLOURS.repeat(20, 0)), "JPEG")[:-60], "truncated"),
        (encoded(Image.fromarray(COLOURS.repeat(20, 0)), "BMP")[:-60], "truncated"),
    ],
)
def test_bad_pictures_say_why(data: bytes, cause: str) -> None:
    with pytest.raises(BadPicture, match=cause):
        made(data)


def test_animations_are_refused_or_taken_by_their_first_frame() -> None:
    first, second = Image.fromarray(COLOURS[..., 0]), Image.fromarray(COLOURS[..., 1])
    for format in ("GIF", "PNG", "WEBP"):
        data = encoded(first, format, save_all=True, append_images=[second], lossless=True)
        with pytest.raises(BadPicture, match="animated: 2 frames"):
            made(data)
        assert np.array_equal(made(data, channels=1, first_frame=True)[..., 0], COLOURS[..., 0])


def test_a_head_that_promises_too_much_is_a_bomb() -> None:
    data = bytearray(encoded(Image.new("L", (8, 8))))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    with pytest.raises(BadPicture, match="decompression bomb"):
        made(bytes(data))


def test_a_background_is_a_colour() -> None:
    with pytest.raises(OptionError, match="background is no colour"):
        made(solid(8, 8), background="nocolour")
