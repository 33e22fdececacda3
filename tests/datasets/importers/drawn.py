"""Small pictures for the tests of importers, drawn from arithmetic, so that they are the same everywhere."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image


def pixels(number: int, height: int = 12, width: int = 10) -> npt.NDArray[np.uint8]:
    """Colours of picture `number`: uint8 (H, W, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([7 * x + 13 * number, 11 * y + 5 * number, x * y + number], axis=-1).astype(np.uint8)


def folders(root: Path, counts: dict[str, int], suffix: str = ".png", height: int = 12, width: int = 10) -> Path:
    """Class folders below `root` with so many pictures each; picture i of a class is `pixels(i + 50 · class)`."""
    for place, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = Image.fromarray(pixels(number + 50 * place, height, width))
            picture.save(root / name / f"{number:03}{suffix}")
    return root
