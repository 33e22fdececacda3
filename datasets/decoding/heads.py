"""The heads of pictures: sizes and kinds of pixels, without decoding any."""

import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PIL import Image

from millrace.datasets.decoding.pixels import GREY, ORIENTATION, TURNED, UNREADABLE, BadPicture, colour, opened
from millrace.datasets.decoding.work import over_rows
from millrace.datasets.importers.inventory import Picture
from millrace.datasets.importers.options import Reading
from millrace.errors import DataError


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
    grey_ground = len(set(colour(reading.background))) == 1

    def take(row: int) -> None:
        one = pictures[row]
        found = _head(one, reading)
        with lock:
            if isinstance(found, str):
                heads.bad[one.name] = found
                return
            size, mode, grey, transparent = found
            heads.sizes[size] += 1
            heads.modes[mode] += 1
            heads.grey = heads.grey and grey and (grey_ground or not transparent)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about metadata that is not used
        over_rows(len(pictures), take, threads, report)
    return heads


def _head(picture: Picture, reading: Reading) -> tuple[tuple[int, int], str, bool, bool] | str:
    """Size upright, mode, whether it is grey, whether parts of it are transparent; or why it cannot be taken."""
    try:
        if picture.path is None:
            return _of(opened(picture.read(), reading.first_frame))
        if not os.path.getsize(picture.path):
            return "zero bytes"
        with open(picture.path, "rb") as file:
            return _of(opened(file, reading.first_frame))
    except BadPicture as error:
        return error.what
    except OSError as error:
        return f"unreadable: {error.strerror or error}"
    except DataError as error:
        return f"unreadable: {error.what}"


def _of(picture: Image.Image) -> tuple[tuple[int, int], str, bool, bool]:
    width, height = picture.size
    try:
        turned = picture.getexif().get(ORIENTATION) in TURNED
    except UNREADABLE:
        turned = False
    size = (width, height) if turned else (height, width)
    grey = picture.mode in GREY or (picture.mode == "P" and _grey_palette(picture))
    return size, picture.mode, grey, picture.has_transparency_data


def _grey_palette(picture: Image.Image) -> bool:
    colours = picture.getpalette("RGB") or []
    return colours[0::3] == colours[1::3] == colours[2::3]
