"""Policies: the ranges that augmentation parameters are drawn from. Data, not code."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from millrace.errors import UsageError, unknown_name


@dataclass(frozen=True)
class Policy:
    """How far an image may be moved from itself. Each parameter is drawn uniformly and independently.

    translate: the largest shift, as a fraction of the width and of the height, in [0, 1].
    rotate: the largest turn in degrees, either way, in [0, 180].
    scale: the least and the greatest magnification, drawn for each axis, in [0.1, 10].
    shear: the largest horizontal shift per row, either way (the tangent of the angle), in [0, 2].
    flip: the probability of a horizontal mirror image, in [0, 1].
    elastic: how far the control points of a smooth displacement field move at most, as a fraction of the width and of
        the height, in [0, 0.5].
    elastic_cells: cells of that field along each side, 1 to 16; the more, the finer it bends.
    erase: the probability that a rectangle is blanked, in [0, 1].
    erase_area: the least and the greatest part of the image that it covers, in [0.001, 1].
    """

    name: str = "custom"
    translate: float = 0.0
    rotate: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0
    flip: float = 0.0
    elastic: float = 0.0
    elastic_cells: int = 4
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.2)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise UsageError("the name of a policy is no word", expected="a text", got=repr(self.name))
        _check(self, "translate", 0.0, 1.0)
        _check(self, "rotate", 0.0, 180.0)
        _check(self, "shear", 0.0, 2.0)
        _check(self, "flip", 0.0, 1.0)
        _check(self, "elastic", 0.0, 0.5)
        _check(self, "erase", 0.0, 1.0)
        _check_pair(self, "scale", 0.1, 10.0)
        _check_pair(self, "erase_area", 0.001, 1.0)
        cells = self.elastic_cells
        if isinstance(cells, bool) or not isinstance(cells, int) or not 1 <= cells <= 16:
            raise UsageError(
                f"policy {self.name!r}: elastic_cells is out of range",
                expected="a whole number from 1 to 16",
                got=repr(cells),
            )

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


def _check(policy: Policy, field: str, low: float, high: float) -> None:
    value = getattr(policy, field)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise UsageError(
            f"policy {policy.name!r}: {field} is out of range",
            expected=f"a number from {low:g} to {high:g}",
            got=repr(value),
        )
    object.__setattr__(policy, field, float(value))


def _check_pair(policy: Policy, field: str, least: float, most: float) -> None:
    low, high = _pair(field, getattr(policy, field))
    object.__setattr__(policy, field, (low, high))
    if not (least <= low <= high <= most):
        raise UsageError(
            f"policy {policy.name!r}: {field} is out of range",
            expected=f"two numbers, {least:g} ≤ low ≤ high ≤ {most:g}",
            got=[low, high],
        )


def _pair(field: str, value: object) -> tuple[float, float]:
    if isinstance(value, (list, tuple)) and len(value) == 2:
        numbers = [v for v in value if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(numbers) == 2:
            return float(numbers[0]), float(numbers[1])
    raise UsageError(f"policy: {field} is no range", expected="two numbers [low, high]", got=repr(value))


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
    known = {field.name for field in fields(Policy)}
    given = dict(values)
    start = given.pop("preset", None)
    for key in given:
        if key not in known:
            raise unknown_name("policy option", str(key), known | {"preset"})
    base = Policy() if start is None else replace(preset(str(start)), name="custom")
    return replace(base, **given)  # type: ignore[arg-type]  # __post_init__ checks every value
