"""The heads of pictures: sizes and kinds of pixels, without decoding any."""

import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from PIL import Image

from millrace.datasets.decoding.pixels import GREY, ORIENTATION, TURNED, UNREADABLE, BadPicture, colour, opened
from millrace.datasets.decoding.work import over_rows
from millrace.datasets.importers.inventory import Picture
from millrace.datasets.importers.lazy_pictures import MOST_BYTES, open_plain
from millrace.datasets.importers.options import Reading
from millrace.errors import DataError

PNG = b"\x89PNG\r\n\x1a\n"
LATE = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")  # chunks of a PNG
WIDTH, LENGTH = 256, 257  # tags of a TIFF
AT_ONCE = 256  # pictures that are looked at before the next are, where one of them may say all


@dataclass
class Heads:
    """What the heads say. sizes: how often each (H, W) of the upright picture occurs; modes: each of Pillow's modes;
    grey: whether all are; bad: the cause of each picture that cannot be taken, by name."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    grey: bool = True
    bad: dict[str, str] = field(default_factory=dict)

    def add(self, others: "Heads") -> None:
        """Take in the heads of other pictures."""
        self.sizes += others.sizes
        self.modes += others.modes
        self.grey = self.grey and others.grey
        self.bad |= others.bad


def look(
    pictures: Sequence[Picture], reading: Reading, threads: int, report: Callable[[int], None] = lambda done: None
) -> Heads:
    """The heads of these pictures. report: called now and then with how many were read."""
    heads, lock = Heads(), threading.Lock()

    def take(row: int) -> None:
        one = pictures[row]
        found = _head(one, reading)
        with lock:
            if isinstance(found, str):
                heads.bad[one.name] = found
            else:
                heads.sizes[found.size] += 1
                heads.modes[found.mode] += 1
                heads.grey = heads.grey and found.grey

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about metadata that is not used
        over_rows(len(pictures), take, threads, report)
    return heads


def all_grey(pictures: Sequence[Picture], reading: Reading, threads: int) -> bool:
    """Whether those pictures that can be taken are grey: what `look` finds, known at the first that is not."""
    coloured = threading.Event()

    def take(first: int, row: int) -> None:
        if coloured.is_set():
            return
        found = _head(pictures[first + row], reading)
        if not isinstance(found, str) and not found.grey:
            coloured.set()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        for first in range(0, len(pictures), AT_ONCE):
            over_rows(min(AT_ONCE, len(pictures) - first), partial(take, first), threads)
            if coloured.is_set():
                return False
    return True


class _Head(NamedTuple):
    """size: (H, W) upright; mode: Pillow's; grey: whether all of it is, with the background where it is transparent."""

    size: tuple[int, int]
    mode: str
    grey: bool


def _head(picture: Picture, reading: Reading) -> _Head | str:
    """What the head of a picture says; or why it cannot be taken."""
    try:
        if picture.path is None:
            return _of(opened(picture.read(), reading.first_frame), reading)
        with os.fdopen(open_plain(picture.path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _of(opened(file if 0 < size <= MOST_BYTES else picture.read(), reading.first_frame), reading)
    except BadPicture as error:
        return error.what
    except OSError as error:
        return f"unreadable: {error.strerror or error}"
    except DataError as error:
        return f"unreadable: {error.what}"


def _of(picture: Image.Image, reading: Reading) -> _Head:
    width, height = _stored(picture)
    try:
        turned = _exif(picture).get(ORIENTATION) in TURNED
    except UNREADABLE:
        turned = False
    size = (width, height) if turned else (height, width)
    grey = picture.mode in GREY or (picture.mode == "P" and _grey_palette(picture))
    ground = colour(reading.background)
    return _Head(size, picture.mode, grey and (len(set(ground)) == 1 or not picture.has_transparency_data))


def _stored(picture: Image.Image) -> tuple[int, int]:
    """Width and height of the pixels as they are stored. Pillow gives a TIFF's as they are upright."""
    tags: Any = getattr(picture, "tag_v2", None)
    return (tags[WIDTH], tags[LENGTH]) if picture.format == "TIFF" and tags is not None else picture.size


def _exif(picture: Image.Image) -> Image.Exif:
    """What a picture says of itself. Pillow decodes a PNG for it, where its head says nothing: it could stand after the
    pixels, which is rare, and seen without them."""
    if picture.format != "PNG" or "exif" in picture.info or _says_more(picture):
        return picture.getexif()
    return Image.Image.getexif(picture)


def _says_more(picture: Image.Image) -> bool:
    """Whether a PNG has chunks after its pixels that could hold EXIF."""
    file: Any = getattr(picture, "fp", None)
    if file is None:
        return True
    place = file.tell()
    try:
        file.seek(len(PNG))
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            if head[4:] in LATE and file.tell() > place:
                return True
            file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
        return False
    finally:
        file.seek(place)


def _grey_palette(picture: Image.Image) -> bool:
    colours = picture.getpalette("RGB") or []
    return colours[0::3] == colours[1::3] == colours[2::3]
