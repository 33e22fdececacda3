"""The warp on one thread: matrices drawn, uint8 in, uint8 out. Microseconds per image; part `warp` of `make bench`.

Every contender augments the same batch of handwritten digits, enlarged, with the same ranges and bilinear. OpenCV,
grid_sample and SciPy are given their matrices, which cost them nothing, and must make our pixels but for rounding;
the others draw their own. millrace, pixels: our warp without the draws.
"""

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.loaders import DEGREES, OURS, RANGES
from benchmarks.results import Row
from benchmarks.rounds import Effort, in_turns
from millrace import datasets
from millrace.pipeline import Policy
from millrace.pipeline.draw import draw
from millrace.pipeline.warp import warp

# channels, side → images of a batch, and how many times as fast as OpenCV ours is to be
SHAPES = {(1, 28): (512, 3.0), (3, 32): (512, 2.2), (3, 64): (256, 2.2), (3, 224): (32, 2.0)}
AT_LEAST = {"grid_sample": 4, "torchvision v2": 90, "albumentations": 30}
POLICY = Policy("affine", **RANGES)
ROUNDS, SECONDS = 15, 0.15
U8 = npt.NDArray[np.uint8]


def pictures(channels: int, side: int, count: int) -> U8:
    """Handwritten digits, enlarged, each channel another blend of two of them: (count, C, H, W)."""
    small = datasets.images(datasets.load(datasets.find("digits"), offline=True).train)[:count, 0]
    grey = np.stack(
        [np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)) for image in small]
    )
    blends = [grey // 2 + np.roll(grey, channel, axis=0) // 2 for channel in range(channels)]
    return np.ascontiguousarray(np.stack(blends, axis=1), np.uint8)


class Contest:
    """The contenders on images of one shape; each takes a turn of `seconds` at least."""

    def __init__(self, channels: int, side: int, batch: int, seconds: float) -> None:
        self.images, self.side, self.seconds = pictures(channels, side, max(batch, 256)), side, seconds
        self.rows = np.random.default_rng(0).permutation(len(self.images))[:batch].astype(np.int64)
        self.epoch = 0
        self.given = draw(POLICY, self.rows, height=side, width=side, seed=0, epoch=0).matrices
        self.batch = self.images[self.rows]

    def contenders(self) -> dict[str, Callable[[], float]]:
        """Each answers in microseconds per image."""
        works = {
            OURS: self.drawn_and_warped,
            "millrace, pixels": lambda: warp(self.images, self.rows, self.given),
            "OpenCV": self.opencv(),
            "grid_sample": self.grid_sample(),
            "torchvision v2": self.torchvision(),
            "Kornia": self.kornia(),
            "albumentations": self.albumentations(),
            "SciPy": self.scipy(),
        }
        return {name: lambda work=work: self.time(work) for name, work in works.items()}  # type: ignore[misc]

    def time(self, work: Callable[[], Any]) -> float:
        """Microseconds per image of calls that return what they made."""
        begun, done = time.perf_counter(), 0
        while (taken := time.perf_counter() - begun) < self.seconds or not done:
            done += len(work())
        return taken / done * 1e6

    def same(self, made: Any) -> None:
        """Raise where pixels are not ours but for rounding."""
        ours = warp(self.images, self.rows, self.given)[: len(made)].astype(np.float64)
        apart = float(np.abs(ours - np.asarray(made, np.float64)).mean())
        if apart > 1:
            raise ValueError(f"its pixels differ from ours by {apart:.2f} in the mean")

    def drawn_and_warped(self) -> U8:
        self.epoch += 1
        drawn = draw(POLICY, self.rows, height=self.side, width=self.side, seed=0, epoch=self.epoch)
        return warp(self.images, self.rows, drawn.matrices)

    def opencv(self) -> Callable[[], Any]:
        """`warpAffine` in a loop into arrays that are there, rows × columns × channels, as in OpenCV's tutorial "Affine
        Transformations" (docs.opencv.org/4.x/d4/d61/tutorial_warp_affine.html)."""
        last = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in self.batch]
        pairs, out = self.given.reshape(-1, 2, 3).astype(np.float64), [np.empty_like(image) for image in last]

        def work() -> list[U8]:
            cv2 = import_module("cv2")
            size, flags = (self.side, self.side), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            for image, matrix, into in zip(last, pairs, out, strict=True):
                cv2.warpAffine(image, matrix, size, into, flags, cv2.BORDER_CONSTANT, 0)
            return out

        return _checked(work, lambda: self.same(np.stack(work()).transpose(0, 3, 1, 2)))

    def grid_sample(self) -> Callable[[], Any]:
        """The whole batch by `affine_grid` and `grid_sample`, as in PyTorch's "Spatial Transformer Networks Tutorial"
        (docs.pytorch.org/tutorials/intermediate/spatial_transformer_tutorial.html)."""
        half = (self.side - 1) / 2  # from −1 … 1 to pixels and back
        pixels = np.array([[half, 0, half], [0, half, half], [0, 0, 1]])
        whole = np.concatenate([self.given.reshape(-1, 2, 3), np.tile([[[0.0, 0, 1]]], (len(self.rows), 1, 1))], 1)
        thetas = (np.linalg.inv(pixels) @ whole @ pixels)[:, :2].astype(np.float32)

        def work() -> Any:
            torch = import_module("torch")
            torch.set_num_threads(1)
            source = torch.from_numpy(self.batch).to(torch.float32)
            grid = torch.nn.functional.affine_grid(torch.from_numpy(thetas), list(source.shape), align_corners=True)
            made = torch.nn.functional.grid_sample(source, grid, align_corners=True)
            return made.round_().to(torch.uint8)

        return _checked(work, lambda: self.same(work()))

    def torchvision(self) -> Callable[[], Any]:
        """`v2.RandomAffine` on uint8 tensors image by image, since it draws once for what it is given, as in "Getting
        started with transforms v2" (docs.pytorch.org/vision/stable/transforms.html, "Performance considerations")."""

        def work() -> Any:
            torch, v2 = import_module("torch"), import_module("torchvision.transforms.v2")
            torch.set_num_threads(1)
            change = v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), DEGREES, v2.InterpolationMode.BILINEAR)
            return [change(image) for image in torch.from_numpy(self.batch)]

        return work

    def kornia(self) -> Callable[[], Any]:
        """`RandomAffine` on the whole batch, float32 in and out with no conversion counted, as in Kornia's
        documentation of `kornia.augmentation` (kornia.readthedocs.io/en/latest/augmentation.html)."""
        made: list[Any] = []

        def work() -> Any:
            torch = import_module("torch")
            torch.set_num_threads(1)
            if not made:
                change = import_module("kornia.augmentation").RandomAffine(15.0, (0.1, 0.1), (0.9, 1.1), DEGREES, p=1.0)
                made.extend([change, torch.from_numpy(self.batch).float() / 255])
            change, source = made
            return change(source)

        return work

    def albumentations(self) -> Callable[[], Any]:
        """`Compose` of one `Affine` on uint8 rows × columns × channels image by image, one thread of OpenCV, as in its
        authors' benchmark (albumentations.ai/docs/benchmarks/image-benchmarks)."""
        last = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in self.batch]
        made: list[Any] = []

        def work() -> Any:
            if not made:
                names = import_module("albumentations")
                spans = {"rotate": (-15, 15), "scale": (0.9, 1.1), "shear": (-DEGREES, DEGREES)}
                made.append(names.Compose([names.Affine(translate_percent=(-0.1, 0.1), p=1.0, **spans)]))
            return [made[0](image=image)["image"] for image in last]

        return work

    def scipy(self) -> Callable[[], Any]:
        """`ndimage.affine_transform`, linear, over images and channels, as in SciPy's reference of it."""
        some = self.batch[:64] if self.side < 100 else self.batch[:4]
        given = self.given.astype(np.float64)

        def work() -> Any:
            ndimage = import_module("scipy.ndimage")
            made = np.empty_like(some)
            for image, matrix, out in zip(some, given, made, strict=False):
                turn, shift = matrix[[4, 3, 1, 0]].reshape(2, 2), matrix[[5, 2]]
                for source, into in zip(image, out, strict=True):
                    ndimage.affine_transform(source, turn, shift, output=into, order=1, mode="grid-constant")
            return made

        return _checked(work, lambda: self.same(work()))


def _checked(work: Callable[[], Any], check: Callable[[], None]) -> Callable[[], Any]:
    """The work, after a check before its first time."""
    done = False

    def checked() -> Any:
        nonlocal done
        if not done:
            check()
            done = True
        return work()

    return checked


def rows(effort: Effort) -> Iterator[Row]:
    """A row for each shape."""
    try:
        cv2 = import_module("cv2")
    except ImportError:
        pass
    else:
        cv2.setNumThreads(1)
        cv2.ocl.setUseOpenCL(False)
    for (channels, side), (batch, bar) in SHAPES.items():
        contest = Contest(channels, side, 8 if effort.quick else batch, 0.0 if effort.quick else SECONDS)
        found, missing = in_turns(contest.contenders(), effort.rounds(ROUNDS))
        yield Row(
            f"{f'{channels}×' if channels > 1 else ''}{side}×{side}, one thread",
            "µs per image",
            found,
            less_is_better=True,
            at_least={"OpenCV": bar, **AT_LEAST},
            missing=missing,
        )
