"""Random erasing (Zhong, Zheng, Kang, Li, Yang 2017): a rectangle of some samples is blanked."""

from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.compiled import I64, U8, U32, In, In2, Out2, Out4, kernel
from millrace.counters import Purpose, check_seed, each, lane, philox
from millrace.elementary import exp

U8Array = npt.NDArray[np.uint8]
ASPECT = 1.2039728043259361  # log(1/0.3): height to width lies between 0.3 and 1/0.3, evenly in its logarithm


@kernel
def _draw(
    seed: U32,
    purpose: U32,
    samples: In[I64],
    epochs: In[U32],
    where: U32,
    probability: float,
    low: float,
    high: float,
    height: int,
    width: int,
    out: Out2[I64],
) -> None:
    cell = 2.0**-32
    for row in range(samples.shape[0]):
        sample, epoch = np.uint32(samples[row]), epochs[row]
        a, b, c, _ = philox(seed, purpose, sample, epoch, np.uint32(0), where)
        e, f, _, _ = philox(seed, purpose, sample, epoch, np.uint32(1), where)
        out[row, :] = 0
        if (np.float64(a) + 0.5) * cell < probability:
            area = (low + (high - low) * ((np.float64(b) + 0.5) * cell)) * height * width
            aspect = exp(ASPECT * (2.0 * ((np.float64(c) + 0.5) * cell) - 1.0))
            tall: Any = min(max(np.int64(np.rint(np.sqrt(area * aspect))), 1), height)
            wide: Any = min(max(np.int64(np.rint(np.sqrt(area / aspect))), 1), width)
            out[row, 0] = np.int64((np.float64(e) + 0.5) * cell * (height - tall + 1))
            out[row, 1] = np.int64((np.float64(f) + 0.5) * cell * (width - wide + 1))
            out[row, 2] = out[row, 0] + tall
            out[row, 3] = out[row, 1] + wide


def boxes(
    samples: npt.NDArray[np.int64],
    probability: float,
    area: tuple[float, float],
    *,
    height: int,
    width: int,
    seed: int,
    epoch: npt.ArrayLike,
    split: int = 0,
    replica: int = 0,
) -> npt.NDArray[np.int64]:
    """The rectangles of samples (ids, int64 (n,)): int64 (n, 4), top, left, bottom, right, the last two exclusive; all
    0 where nothing is erased. area: the least and the greatest part of the image that one covers."""
    out = np.empty((len(samples), 4), np.int64)
    key, where = np.uint32(check_seed(seed)), np.uint32(lane(split=split, replica=replica))
    ids = np.ascontiguousarray(samples, np.int64)
    _draw(key, np.uint32(Purpose.ERASE), ids, each(epoch, len(ids)), where, probability, *area, height, width, out)
    return out


@kernel
def _blank(images: Out4[U8], rectangles: In2[I64]) -> None:
    for row in range(images.shape[0]):
        for channel in range(images.shape[1]):
            for y in range(rectangles[row, 0], rectangles[row, 2]):
                for x in range(rectangles[row, 1], rectangles[row, 3]):
                    images[row, channel, y, x] = np.uint8(0)


def erase(images: U8Array, rectangles: npt.NDArray[np.int64]) -> None:
    """Set the rectangles of `boxes` to 0, as the outside of an image is; images: uint8 (n, C, H, W), in place."""
    _blank(images, rectangles)
