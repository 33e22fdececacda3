"""PNG to pixels."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from millrace.errors import FormatError


def decode_png(data: Any, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """The pixels of a PNG: uint8 (C, H, W). Only this shape is taken, so no header can ask for more memory."""
    channels, height, width = shape
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        if picture.size != (width, height) or picture.mode != ("L" if channels == 1 else "RGB"):
            got = f"{picture.mode}, {picture.width} × {picture.height}"
            raise FormatError("a PNG of the wrong kind", expected=f"{channels} × {height} × {width}", got=got)
        pixels = np.asarray(picture, np.uint8)
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def decode_many(blobs: Any, shape: tuple[int, int, int], count: int) -> npt.NDArray[np.uint8]:
    """The pixels of `count` PNGs: uint8 (n, C, H, W)."""
    images = np.empty((count, *shape), np.uint8)
    for row, data in enumerate(blobs):
        images[row] = decode_png(data, shape)
    return images
