"""One encoded picture as pixels of a given shape: what is done to it, exactly.

1. Pillow decodes it: PNG, JPEG, WebP, BMP, TIFF or GIF. A JPEG is decoded at the smallest of libjpeg's scales 1, 1/2,
   1/4 and 1/8 that leaves both sides at least twice as long as step 5 makes them. Of an animation, or a TIFF of several
   pages, the first one where that is asked for; the main picture of a phone's multi-picture JPEG always.
2. It is turned upright as its EXIF orientation says. Colour profiles (ICC) are ignored: numbers count as they stand.
3. What is transparent is put on the background colour; in 16-bit grey all pixels that have the value which says so.
4. It becomes grey or RGB by Pillow's plain conversions: grey is (299 R + 587 G + 114 B) / 1000, CMYK becomes RGB
   without a profile, a palette its colours. 16-bit grey v becomes v / 257, rounded, or as `range` says, black and
   white beyond it; of 16-bit colours Pillow takes the upper 8 bits. 32-bit and float pixels need a `range`.
5. It is brought to the size asked for, where it has another, by Pillow's antialiased bicubic resampling:
   stretch: both sides each by its own factor. crop: the largest middle part of the right aspect. pad: as large as fits
   in, in the middle, the rest in the background colour.
"""

import io
import math
import struct
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from millrace.datasets.importers.lazy_pictures import MOST_BYTES
from millrace.datasets.importers.options import Reading
from millrace.errors import FormatError, OptionError

U8Array = npt.NDArray[np.uint8]
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
MOST_PIXELS = 64_000_000
SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
WIDE = (*SIXTEEN, "I", "F")  # modes whose values a `range` is for
GREY = ("1", "L", "LA", "La", *WIDE)
FILTER = Image.Resampling.BICUBIC
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # EXIF: orientations that exchange height and width
# What Pillow raises for damaged files.
UNREADABLE = (OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)


class BadPicture(FormatError):
    """A picture that cannot be taken; `what` says why in a few words."""


@dataclass(frozen=True)
class Form:
    """What every picture is brought to. size: (H, W); channels: 1 or 3."""

    size: tuple[int, int]
    channels: int
    reading: Reading

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, *self.size

    @property
    def bytes(self) -> int:
        """Of one image."""
        return self.channels * self.size[0] * self.size[1]


def colour(name: str) -> tuple[int, int, int]:
    """The RGB of a colour's name or #rrggbb. Errors: OptionError."""
    try:
        found = ImageColor.getrgb(name)
    except ValueError:
        raise OptionError("background", "is no colour", expected="a name such as white, or #rrggbb", got=name) from None
    return found[0], found[1], found[2]


def opened(data: bytes | IO[bytes], first_frame: bool) -> Image.Image:
    """The picture with its head read and nothing decoded. Errors: BadPicture with the cause."""
    if isinstance(data, bytes) and not 0 < len(data) <= MOST_BYTES:
        raise BadPicture(f"too large: more than {MOST_BYTES >> 20} MB" if data else "zero bytes")
    try:
        picture = Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=FORMATS)
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise BadPicture(f"decompression bomb: {width} × {height} pixels, more than {MOST_PIXELS:,}")
        if picture.format != "MPO" and getattr(picture, "is_animated", False) and not first_frame:
            raise BadPicture(f"animated: {getattr(picture, 'n_frames', 'several')} frames")
    except UnidentifiedImageError:
        raise BadPicture("no image") from None
    except Image.DecompressionBombError:
        raise BadPicture(f"decompression bomb: more than {MOST_PIXELS:,} pixels") from None
    except UNREADABLE as error:
        raise BadPicture(_why(error)) from None
    return picture


def decoded(picture: Image.Image, form: Form) -> U8Array:
    """The pixels of an opened picture: uint8 (C, H, W). Errors: BadPicture with the cause."""
    try:
        return fitted(picture, form)
    except Image.DecompressionBombError:
        raise BadPicture(f"decompression bomb: more than {MOST_PIXELS:,} pixels") from None
    except BadPicture:
        raise
    except UNREADABLE as error:
        raise BadPicture(_why(error)) from None


def _why(error: Exception) -> str:
    """The cause of what Pillow raised, in a few words."""
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    if any(word in text.lower() for word in ("truncated", "broken data", "unexpected end", "incomplete", "eof")):
        return "truncated"
    return f"unreadable: {' '.join(text.split())[:80]}"


def fitted(picture: Image.Image, form: Form) -> U8Array:
    """The picture as uint8 (C, H, W): upright, opaque, in its channels and size. Errors: those of Pillow."""
    background = colour(form.reading.background)
    mode = "L" if form.channels == 1 else "RGB"
    if picture.format in ("JPEG", "MPO"):
        _scaled(picture, form)
    picture.load()  # some kinds say only after their pixels how they lie
    turned = picture.getexif().get(ORIENTATION, 1) != 1
    plain = _plain(ImageOps.exif_transpose(picture) if turned else picture, form.reading, background)
    if plain.mode != mode:
        plain = plain.convert(mode)
    height, width = form.size
    if plain.size != (width, height):
        plain = _resized(plain, width, height, form.reading.fit, background)
    pixels = np.asarray(plain)
    return pixels[None] if form.channels == 1 else np.moveaxis(pixels, -1, 0)


def _scaled(picture: Image.Image, form: Form) -> None:
    """Let a JPEG be decoded at a smaller scale, where twice the size is left for the resampling."""
    turned = picture.getexif().get(ORIENTATION) in TURNED
    width, height = picture.size[::-1] if turned else picture.size
    wide, high = form.size[1] / width, form.size[0] / height
    if form.reading.fit != "stretch":  # both sides by the same factor
        wide = high = max(wide, high) if form.reading.fit == "crop" else min(wide, high)
    least = math.ceil(2 * width * wide), math.ceil(2 * height * high)
    if min(least) > 0 and picture.size != form.size[::-1]:
        picture.draft(None, least[::-1] if turned else least)


def _plain(picture: Image.Image, reading: Reading, background: tuple[int, int, int]) -> Image.Image:
    """Without transparency, in 8 bits: mode L or RGB."""
    if picture.mode in WIDE:
        grey, clear = _of_wide(picture, reading), picture.info.get("transparency")
        if isinstance(clear, int):
            unseen = Image.fromarray(np.asarray(picture) == clear)
            grey = grey if len(set(background)) == 1 else grey.convert("RGB")
            grey.paste(background[0] if grey.mode == "L" else background, mask=unseen)
        return grey
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, (*background, 255)), layer).convert("RGB")
    mode = "L" if picture.mode in ("1", "L") else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _of_wide(picture: Image.Image, reading: Reading) -> Image.Image:
    """Grey of 16 or 32 bits or floats in 8 bits."""
    values = np.asarray(picture)
    if reading.bounds is not None:
        low, high = reading.bounds
        scaled = (values.astype(np.float64) - low) * (255 / (high - low))
        if not np.isfinite(scaled).all():
            raise BadPicture("pixels that are no numbers")
        return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    whole = values.astype(np.int64) if values.dtype.kind in "iu" else None
    if whole is None or whole.min() < 0 or whole.max() > 65535:
        kind = "float" if whole is None else "32-bit"
        raise BadPicture(f"{kind} pixels: `range=LOW..HIGH` says what is black and white")
    return Image.fromarray(((whole + 128) // 257).astype(np.uint8))


def _resized(picture: Image.Image, width: int, height: int, fit: str, background: tuple[int, int, int]) -> Image.Image:
    """The picture brought to a size, see above. All sides are whole numbers, half rounded up."""
    own_width, own_height = picture.size
    if fit == "stretch":
        return picture.resize((width, height), FILTER)
    if fit == "crop":
        if own_width * height > own_height * width:  # too wide
            part = own_height * width / height
            box = ((own_width - part) / 2, 0.0, (own_width + part) / 2, float(own_height))
        else:
            part = own_width * height / width
            box = (0.0, (own_height - part) / 2, float(own_width), (own_height + part) / 2)
        return picture.resize((width, height), FILTER, box=box)
    if own_width * height > own_height * width:
        inner = width, max(1, (2 * own_height * width + own_width) // (2 * own_width))
    else:
        inner = max(1, (2 * own_width * height + own_height) // (2 * own_height)), height
    scaled = picture if picture.size == inner else picture.resize(inner, FILTER)
    ground = Image.new("RGB", (1, 1), background).convert(picture.mode).resize((width, height))
    ground.paste(scaled, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return ground
