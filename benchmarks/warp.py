"""The warp on one thread: matrices drawn, uint8 in, uint8 out, against OpenCV and SciPy.

    python -m benchmarks.warp [--rounds 15] [--json]

Each contender augments the same batches of handwritten digits, enlarged to 28×28 in grey and 32×32 in colour; they
take turns within one run, figures are medians over the rounds.

  millrace          `pipeline.draw.draw` and `pipeline.warp.warp`: draws, matrices and pixels of a batch
  millrace, warp    the pixels alone
  opencv            `cv2.warpAffine` in a loop on one thread, bilinear, into an array that is there; its matrices are
                    given to it and cost it nothing
  scipy             `ndimage.affine_transform(order=1, mode="grid-constant")` in a loop over images and channels, with
                    given matrices as well
"""

import json
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.rounds import arguments, ratio, table, take_turns
from millrace import datasets
from millrace.pipeline import preset
from millrace.pipeline.draw import draw
from millrace.pipeline.warp import warp

BATCH = 512
BARS = {"28×28": 2.2, "32×32×3": 1.7}
U8 = npt.NDArray[np.uint8]


def pictures(channels: int, side: int) -> U8:
    """Handwritten digits, enlarged, each channel another blend of two of them: uint8 (n, C, H, W)."""
    small = datasets.images(datasets.load(datasets.find("digits"), offline=True).train)[:, 0]
    grey = np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in small])
    blends = [grey // 2 + np.roll(grey, channel, axis=0) // 2 for channel in range(channels)]
    return np.ascontiguousarray(np.stack(blends, axis=1), np.uint8)


class Contest:
    """The contenders on images of one shape; each call answers in microseconds per image."""

    def __init__(self, channels: int, side: int) -> None:
        self.images, self.side = pictures(channels, side), side
        self.policy = preset("digits" if channels == 1 else "photos")
        self.rows = np.random.default_rng(0).permutation(len(self.images))[:BATCH].astype(np.int64)
        self.epoch = 0
        given = draw(self.policy, self.rows, height=side, width=side, seed=0, epoch=0).matrices
        self.given, self.pairs = given, [matrix.reshape(2, 3) for matrix in given.astype(np.float64)]
        # OpenCV's own layout: rows, columns, channels.
        self.last = [np.ascontiguousarray(self.images[row].transpose(1, 2, 0)) for row in self.rows]
        self.out = [np.empty_like(image) for image in self.last]

    def contenders(self) -> dict[str, Callable[[], float]]:
        return {
            "millrace": lambda: self._time(self._millrace, 20),
            "millrace, warp": lambda: self._time(lambda: len(warp(self.images, self.rows, self.given)), 20),
            "opencv": lambda: self._time(self._opencv, 10),
            "scipy": lambda: self._time(self._scipy, 1),
        }

    def _time(self, work: Callable[[], int], times: int) -> float:
        begun = time.perf_counter()
        done = sum(work() for _ in range(times))
        return (time.perf_counter() - begun) / done * 1e6

    def _millrace(self) -> int:
        self.epoch += 1
        side = self.side
        drawn = draw(self.policy, self.rows, height=side, width=side, seed=0, epoch=self.epoch)
        return len(warp(self.images, self.rows, drawn.matrices))

    def _opencv(self) -> int:
        size, flags = (self.side, self.side), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        for image, matrix, out in zip(self.last, self.pairs, self.out, strict=True):
            cv2.warpAffine(image, matrix, size, out, flags, cv2.BORDER_CONSTANT, 0)
        return len(self.last)

    def _scipy(self) -> int:
        some = self.rows[:64]
        for row, matrix in zip(some, self.given.astype(np.float64), strict=False):
            turn, shift = matrix[[4, 3, 1, 0]].reshape(2, 2), matrix[[5, 2]]
            for channel in self.images[row]:
                ndimage.affine_transform(channel, turn, shift, order=1, mode="grid-constant")
        return len(some)


def measure(channels: int, side: int, rounds: int) -> dict[str, list[float]]:
    """Microseconds per image of each contender in each round, after one round that does not count."""
    contenders = Contest(channels, side).contenders()
    take_turns(contenders, 1)
    return take_turns(contenders, rounds)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=15)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    report: dict[str, object] = {}
    for name, (channels, side) in {"28×28": (1, 28), "32×32×3": (3, 32)}.items():
        found = measure(channels, side, chosen.rounds)
        times = {other: ratio(found, other, "millrace") for other in ("opencv", "scipy")}
        medians = {contender: statistics.median(values) for contender, values in found.items()}
        report[name] = {"microseconds": medians, "times_as_fast_as": times, "bar": BARS[name]}
        if not chosen.json:
            print(f"\n{name}\n{table(found, 'µs per image')}")
            print(f"millrace against opencv: {times['opencv']:.2f} times as fast (bar {BARS[name]})")
            print(f"millrace against scipy:  {times['scipy']:.2f} times as fast")
    if chosen.json:
        print(json.dumps(report, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
