"""How files of one's own are read: everything that decides what the table of their dataset holds."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from millrace.errors import OptionError, UsageError
from millrace.fields import check, option

POLICY = "photos"  # the augmentation of one's own pictures, where nothing is said
FITS = ("pad", "crop", "stretch")
SMALLEST, LARGEST = 8, 512  # pixels of a side that pictures are made
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Reading:
    """How files of one's own become images and labels; no field changes anything for datasets with a name.

    size: (H, W) in pixels; None: the common size of all pictures. fit: how a picture of another aspect is brought
    there. channels: of pictures 1 or 3 (None: 1 where all are grey, else 3); arrays keep theirs. background: what
    transparent parts and padding are put on. range: `LOW..HIGH` of float and uint16 pixels, which become 0 to 255.
    labels_from: the lowest label. test_share: of each class, where no test split exists (None: 1/5; 0: none).
    skip_bad: leave out what cannot be read. first_frame: take animations by their first frame. labels: the column or
    field with the labels, where several could be. Errors: OptionError.
    """

    size: tuple[int, int] | None = option(
        None,
        "pictures of one's own: height and width to bring them to; by default their common size",
        metavar="H W",
        least=SMALLEST,
        most=LARGEST,
    )
    fit: str = option(
        "pad",
        "pictures of another aspect: pad (whole, on the background), crop (the middle) or stretch",
        choices=FITS,
    )
    channels: int | None = option(
        None, "1 (grey) or 3 (colour); by default 1 where all pictures are grey", metavar="1|3", least=1, most=8
    )
    background: str = option(
        "white", "colour behind transparent parts and beside padded pictures: a name or #rrggbb", metavar="COLOUR"
    )
    range: str | None = option(
        None, "of float and 16-bit pixels: the values for black and white, such as 0..1", metavar="LOW..HIGH"
    )
    labels_from: int = option(0, "the lowest label in the files", least=-(1 << 31), most=1 << 31)
    test_share: float | None = option(
        None, "of each class, set apart to test on where the files have no test split; by default 0.2; 0: none",
        metavar="SHARE", least=0, below=1,
    )  # fmt: skip
    skip_bad: bool = option(False, "leave out pictures that cannot be read, instead of refusing all")
    first_frame: bool = option(False, "take the first frame of animated pictures, instead of refusing them")
    labels: str = option("", "which column or field holds the labels, where several could", metavar="NAME")

    def __post_init__(self) -> None:
        check(self)
        if self.range is not None:
            _ = self.bounds

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The pixel values that become 0 and 255; None where none were given. OptionError for another text."""
        if self.range is None:
            return None
        found = _RANGE.fullmatch(self.range.replace(" ", ""))
        if found is None or not float(found[1]) < float(found[2]):
            raise OptionError("range", "is no range", expected="LOW..HIGH, such as 0..1 or 0..65535", got=self.range)
        return float(found[1]), float(found[2])

    def as_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @property
    def given(self) -> dict[str, Any]:
        """The fields that are not as they are by default, JSON-able."""
        plain = Reading.__dataclass_fields__
        return {name: value for name, value in self.as_dict().items() if value != plain[name].default}


PLAIN = Reading()  # nothing was said


def untested(test: str, share: float | None) -> float | None:
    """The share of each class to test on where the files have no test split, 0 where `test` is `none`. UsageError where
    it says something else, or against the share."""
    if test not in ("", "none"):
        raise UsageError("test says something else", expected="none, or nothing", got=repr(test))
    if test and share:
        raise UsageError("test: none with a test share", got=share, do="leave out one of them")
    return 0.0 if test else share
