"""Policies: the ranges that augmentation parameters are drawn from. Data, not code."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from millrace.errors import OptionError, unknown_name
from millrace.fields import check, documented, option
from millrace.values import hints


@documented
@dataclass(frozen=True)
class Policy:
    """How far an image may be moved from itself. Each parameter is drawn uniformly and independently."""

    name: str = option("custom", "what a changed policy is called")
    translate: float = option(
        0.0, "the largest shift, as a fraction of the width and of the height, in [0, 1]", least=0, most=1
    )
    rotate: float = option(0.0, "the largest turn in degrees, either way, in [0, 180]", least=0, most=180)
    scale: tuple[float, float] = option(
        (1.0, 1.0),
        "the least and the greatest magnification, drawn for each axis, in [0.1, 10]",
        metavar="LOW HIGH",
        least=0.1,
        most=10,
    )
    shear: float = option(
        0.0, "the largest horizontal shift per row, either way (the tangent of the angle), in [0, 2]", least=0, most=2
    )
    flip: float = option(0.0, "the probability of a horizontal mirror image, in [0, 1]", least=0, most=1)
    elastic: float = option(
        0.0,
        "how far the control points of a smooth displacement field move at most, as a fraction of the width and of "
        "the height, in [0, 0.5]",
        least=0,
        most=0.5,
    )
    elastic_cells: int = option(
        4, "cells of that field along each side, 1 to 16; the more, the finer it bends", least=1, most=16
    )
    erase: float = option(0.0, "the probability that a rectangle is blanked, in [0, 1]", least=0, most=1)
    erase_area: tuple[float, float] = option(
        (0.02, 0.2),
        "the least and the greatest part of the image that it covers, in [0.001, 1]",
        metavar="LOW HIGH",
        least=0.001,
        most=1,
    )

    def __post_init__(self) -> None:
        check(self)
        if not self.name:
            raise OptionError("name", "is empty", expected="a text")
        for field in ("scale", "erase_area"):
            low, high = getattr(self, field)
            if low > high:
                raise OptionError(field, "is out of range", expected="two numbers, low ≤ high", got=[low, high])

    @property
    def is_identity(self) -> bool:
        """Whether every image stays as it is."""
        moved = self.translate or self.rotate or self.shear or self.flip or self.elastic or self.erase
        return not moved and self.scale == (1.0, 1.0)

    def as_dict(self) -> dict[str, object]:
        """The policy as plain values, ready for YAML and JSON. What came later is named only where it is on, so that
        what was written before stays the same."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        for later in ("elastic", "erase"):
            if not values[later]:
                values = {name: value for name, value in values.items() if not name.startswith(later)}
        return values


# Each preset stays within the class: a digit is never mirrored and never turned so far that a 6 becomes a 9.
PRESETS: Mapping[str, Policy] = {
    "none": Policy("none"),
    "digits": Policy("digits", translate=0.08, rotate=12.0, scale=(0.88, 1.12), shear=0.1),
    "photos": Policy("photos", translate=0.12, rotate=8.0, scale=(0.9, 1.15), shear=0.05, flip=0.5),
}


def preset(name: str) -> Policy:
    """The preset of that name, or a UsageError with the nearest name."""
    if name not in PRESETS:
        raise unknown_name("policy", name, PRESETS)
    return PRESETS[name]


def from_mapping(values: Mapping[str, object]) -> Policy:
    """A policy from a mapping: the fields of `Policy`, and optionally `preset` to start from."""
    given = dict(values)
    start = given.pop("preset", None)
    for key in given:
        if key not in hints(Policy):
            raise unknown_name("policy option", str(key), {*hints(Policy), "preset"})
    base = Policy() if start is None else replace(preset(str(start)), name="custom")
    return replace(base, **given)  # type: ignore[arg-type]  # __post_init__ checks every value
