"""From pixels to the network's inputs: each channel shifted by its mean and divided by its deviation."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, U8, In, In2, Out2, kernel
from millrace.errors import UsageError
from millrace.model.layout import Floats


@kernel
def _normalise(planes: In2[U8], shift: In[F32], factor: In[F32], out: Out2[F32]) -> None:
    channels = shift.shape[0]
    for plane in range(planes.shape[0]):
        low, by = shift[plane % channels], factor[plane % channels]
        for pixel in range(planes.shape[1]):
            out[plane, pixel] = (np.float32(planes[plane, pixel]) - low) * by


@dataclass(frozen=True)
class Inputs:
    """The normalisation (x/255 − mean)/std of every channel, kept in checkpoints.

    mean, std: one number a channel, in units of full brightness; std above 0. UsageError otherwise.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        good = len(self.mean) == len(self.std) > 0
        good = good and all(math.isfinite(m) for m in self.mean)
        if not good or not all(math.isfinite(s) and s > 0 for s in self.std):
            raise UsageError(
                "the normalisation is impossible",
                expected="a finite mean and a deviation above 0 for every channel",
                got=f"mean {self.mean}, std {self.std}",
            )

    @classmethod
    def unit(cls, channels: int) -> "Inputs":
        """No statistics: 0 to 255 become 0 to 1."""
        return cls((0.0,) * channels, (1.0,) * channels)

    def into(self, images: npt.NDArray[np.uint8], out: Floats) -> Floats:
        """Normalise images uint8 (m, C, H, W) into `out`, float32 (m, C·H·W), both C-contiguous; returns `out`.

        Computed in float32 as (x − 255·mean) · 1/(255·std), two rounded operations.
        """
        rows, channels, height, width = images.shape
        good = images.dtype == np.uint8 and out.dtype == np.float32 and out.flags.c_contiguous
        if not good or channels != len(self.mean) or out.shape != (rows, channels * height * width):
            raise UsageError(
                "the images do not fit the network's inputs",
                expected=f"uint8 with {len(self.mean)} channels, and room for them in float32",
                got=f"images {images.dtype} {images.shape}, room {out.dtype} {out.shape}",
            )
        shift = np.array([255.0 * m for m in self.mean], np.float32)
        factor = np.array([1.0 / (255.0 * s) for s in self.std], np.float32)
        planes = (rows * channels, height * width)
        _normalise(images.reshape(planes), shift, factor, out.reshape(planes))
        return out
