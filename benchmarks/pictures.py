"""A folder of JPEGs becomes a dataset: `python -m benchmarks.pictures [--files 5000] [--torch PYTHON]`

Pictures of about 500×375 in ten class folders, to 3×64×64, on two threads; pictures per second, contenders in turns,
medians of ratios. All stretch them with the same antialiased bicubic resampling.

  ours         `datasets.load` with an empty cache: heads, decoding, the table written, digested and opened
  bare         Pillow alone: open, decode at the same scale as ours (datasets/decoding/pixels.py), convert, resize, to
               an array that is dropped, on two threads
  whole        the same with JPEGs decoded whole
  ImageFolder  torchvision's ImageFolder with Resize in a DataLoader of two processes, batches of 64, one pass
               (--torch: the Python that has them)

Bars: ours 0.9 of bare and 1.5 times ImageFolder; a second opening within 50 ms.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.rounds import arguments, ratio, table, take_turns
from millrace import datasets
from millrace.datasets import Reading

CLASSES, THREADS, SIDE = 10, 2, 64
PEER = Path(__file__).with_name("pictures_peer.py")
READING = Reading(size=(SIDE, SIDE), fit="stretch")


def draw(root: Path, files: int) -> list[Path]:
    """Class folders of JPEGs that look like photographs to a decoder: smooth shapes and grain, quality 90."""
    rng, made = np.random.default_rng(0), []
    for number in range(files):
        width, height = 500 + int(rng.integers(-20, 20)), 375 + int(rng.integers(-20, 20))
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).resize((width, height), 3)
        grain = rng.integers(-12, 13, (height, width, 1), np.int16)
        pixels = np.clip(np.asarray(coarse, np.int16) + grain, 0, 255).astype(np.uint8)
        path = root / f"class{number % CLASSES}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=90)
        made.append(path)
    return made


class Contest:
    """The contenders on one folder; each answers in pictures per second."""

    def __init__(self, root: Path, files: int, torch: str | None) -> None:
        self.root, self.torch, self.number = root / "pictures", torch, 0
        self.paths, self.cache = draw(self.root, files), root / "cache"

    def contenders(self) -> dict[str, Callable[[], float]]:
        found: dict[str, Callable[[], float]] = {
            "ours": self.ours,
            "bare": lambda: self.bare(True),
            "whole": lambda: self.bare(False),
        }
        return found | ({"ImageFolder": self.peer} if self.torch else {})

    def ours(self) -> float:
        shutil.rmtree(self.cache, ignore_errors=True)
        begun = time.perf_counter()
        made = datasets.load(datasets.find(str(self.root), READING), cache=self.cache)
        return float(made.train.num_rows + made.test.num_rows) / (time.perf_counter() - begun)

    def bare(self, scaled: bool) -> float:
        def decode(path: Path) -> np.ndarray:
            with Image.open(path) as picture:
                if scaled:
                    picture.draft(None, (2 * SIDE, 2 * SIDE))
                return np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))

        begun = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            count = sum(len(pixels) // SIDE for pixels in pool.map(decode, self.paths))
        return count / (time.perf_counter() - begun)

    def peer(self) -> float:
        command = [str(self.torch), str(PEER), str(self.root), str(SIDE)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=True)
        return len(self.paths) / float(done.stdout.split()[-1])

    def second_opening(self) -> float:
        """Milliseconds from a path to the table that lies in the cache."""
        begun = time.perf_counter()
        datasets.load(datasets.find(str(self.root), READING), cache=self.cache)
        return 1000 * (time.perf_counter() - begun)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--torch", help="a Python with torch and torchvision")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(Path(folder), given.files, given.torch)
        print(f"{given.files:,} JPEGs, {sum(path.stat().st_size for path in contest.paths) / 1e6:.0f} MB")
        contest.ours()  # compiles and imports
        found = take_turns(contest.contenders(), given.rounds)
        print(table(found, "pictures/s"))
        print(f"{'ours / bare':<44}{ratio(found, 'ours', 'bare'):>10.3g}   bar 0.9")
        print(f"{'ours / whole':<44}{ratio(found, 'ours', 'whole'):>10.3g}")
        if given.torch:
            print(f"{'ours / ImageFolder':<44}{ratio(found, 'ours', 'ImageFolder'):>10.3g}   bar 1.5")
        opening = statistics.median(contest.second_opening() for _ in range(9))
        print(f"{'second opening':<44}{opening:>10.3g}   ms, bar 50 (5,000 files)")


if __name__ == "__main__":
    main()
