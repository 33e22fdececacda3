"""Draws examples/folder: leaves of three trees, as somebody might have photographed them, 60 of each, 48×48.

    python examples/draw_folder.py FOLDER

Every number comes from a generator with a fixed seed, so the pictures are always the same. They are in the public
domain (CC0), as far as drawings by a program have an author at all.
"""

import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIDE, FINE, COUNT = 48, 6, 60  # pixels; how many times larger they are drawn; pictures of each class
PAPER = ((238, 232, 218), (226, 226, 224), (214, 222, 226), (232, 224, 208))
GREEN = ((74, 112, 44), (98, 128, 52), (140, 134, 48), (166, 112, 42), (148, 74, 40))  # from June to October


def outline(kind: str, angle: float) -> tuple[float, float]:
    """The edge of a leaf of length 2, its stalk at angle 0 below: x to the right, y down, at this angle in radians."""
    side, along = math.sin(angle), math.cos(angle)
    if kind == "lime":  # a heart
        return 0.86 * side * (1 + 0.18 * along), 0.95 * along - 0.16 * abs(side) ** 3
    if kind == "oak":  # lobes, wider towards the tip
        width = 0.52 * (1 - 0.28 * along) * (1 + 0.26 * math.cos(9 * angle))
        return width * side, along
    return 0.24 * side * (1 + 0.2 * along), along  # willow: a lance


def leaf(kind: str, number: int) -> Image.Image:
    """One picture of a leaf."""
    draws = random.Random(f"{kind} {number}")
    side = SIDE * FINE
    picture = Image.new("RGB", (side, side), _varied(draws.choice(PAPER), 8, draws))
    pen = ImageDraw.Draw(picture)
    turn, size = math.radians(draws.uniform(-35, 35)), side * draws.uniform(0.34, 0.43)
    middle = side / 2 + draws.uniform(-0.05, 0.05) * side, side / 2 + draws.uniform(-0.05, 0.05) * side
    wide = draws.uniform(0.88, 1.12)

    def at(x: float, y: float) -> tuple[float, float]:
        x *= wide
        return (
            middle[0] + size * (x * math.cos(turn) - y * math.sin(turn)),
            middle[1] + size * (x * math.sin(turn) + y * math.cos(turn)),
        )

    colour = _varied(draws.choice(GREEN), 14, draws)
    edge = [at(*outline(kind, step * math.tau / 180)) for step in range(180)]
    shadow = Image.new("L", picture.size)
    ImageDraw.Draw(shadow).polygon([(x + 0.03 * side, y + 0.03 * side) for x, y in edge], 70)
    picture.paste((60, 54, 46), mask=shadow.filter(ImageFilter.GaussianBlur(0.02 * side)))
    pen.polygon(edge, colour)
    vein = tuple(min(255, part + 46) for part in colour)
    pen.line([at(0, -0.9), at(0, 1.0)], vein, round(0.018 * side))
    pen.line([at(0, 1.0), at(0.06, 1.22)], tuple(part * 3 // 4 for part in colour), round(0.024 * side))
    for step in (-0.5, -0.15, 0.2, 0.55):
        half = 0.6 * abs(outline(kind, math.acos(step))[0])
        for sign in (-1, 1):
            pen.line([at(0, step + 0.12), at(sign * half, step - 0.12)], vein, round(0.01 * side))
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)


def names() -> Iterator[tuple[str, str, int]]:
    """Each picture's path within the folder, its class and its number."""
    for kind in ("lime", "oak", "willow"):
        for number in range(COUNT):
            yield f"{kind}/{number:02d}.{'png' if number % 8 == 0 else 'jpg'}", kind, number


def _varied(colour: tuple[int, int, int], by: int, draws: random.Random) -> tuple[int, int, int]:
    light = draws.randint(-by, by)
    red, green, blue = (min(255, max(0, part + light + draws.randint(-by // 2, by // 2))) for part in colour)
    return red, green, blue


def main() -> None:
    for name, kind, number in names():
        path, picture = Path(sys.argv[1], name), leaf(kind, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jpg":
            picture.save(path, quality=88)
        else:
            picture.save(path, optimize=True)


if __name__ == "__main__":
    main()
