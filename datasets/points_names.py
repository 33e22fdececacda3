"""The names of points, and what they are: `points[-KIND][-SEED]`. They are drawn in `datasets.points`."""

import re
from dataclasses import replace

from millrace.datasets.spec import DatasetSpec
from millrace.errors import UsageError

TRAIN_ROWS, TEST_ROWS, CLASSES = 1000, 1000, 2
SEED_LIMIT = 1 << 32
_NAME = re.compile(r"points(?:-(spirals|circles|clusters))?(?:-(\d{1,10}))?")


def _spec(name: str, what: str) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=f"{what}: {TRAIN_ROWS:,} + {TEST_ROWS:,} points",
        format="points",
        classes=("one", "other"),
        licence="none needed: made from a seed",
        shape=(2, 1, 1),
    )


SPECS = (
    _spec("points", "Two spirals in the plane"),
    _spec("points-circles", "A circle in a ring"),
    _spec("points-clusters", "Four clusters, 2 classes"),
)


def find_points(name: str) -> DatasetSpec | None:
    """The points of this name, `points[-KIND][-SEED]`; None for any other name. UsageError for a seed out of range."""
    parsed = parse(name)
    if parsed is None:
        return None
    stem = "points" if parsed[0] == "spirals" else f"points-{parsed[0]}"
    return replace(next(spec for spec in SPECS if spec.name == stem), name=name)


def parse(name: str) -> tuple[str, int] | None:
    """Kind and seed of a name of points; None for any other name. UsageError for a seed out of range."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    if match[2] is not None and int(match[2]) >= SEED_LIMIT:
        raise UsageError("the seed of the points is out of range", expected="0 to 4294967295", got=match[2])
    return match[1] or "spirals", int(match[2] or 0)
