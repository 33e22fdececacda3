"""The font of pictures, and names that it cannot draw.

Pictures are drawn with DejaVu Sans, which comes with matplotlib, so that they are the same on every machine. It has the
alphabets of Europe and of some neighbours, but no Chinese, Japanese or Korean: their characters would all be boxes.
"""

from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font

REGULAR, BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"


def font_file(*, bold: bool = False) -> Path:
    """The font's file."""
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / (BOLD if bold else REGULAR)


@cache
def _known(bold: bool) -> frozenset[int]:
    return frozenset(FT2Font(str(font_file(bold=bold))).get_charmap())


def spelled(text: str, *, bold: bool = False) -> str:
    """The text with the number of each character that the font has no picture of in its place, as Python writes it:
    `日本 1` becomes `\\u65e5\\u672c 1`."""
    known = _known(bold)
    return "".join(one if ord(one) in known else one.encode("unicode_escape").decode() for one in text)
