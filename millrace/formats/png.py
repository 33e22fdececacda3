"""PNG: pixels always to the same bytes (no time, no text, filter 0, one deflate stream of a fixed level), and back."""

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from millrace.errors import FormatError

LEVEL = 1
_MAGIC = b"\x89PNG\r\n\x1a\n"
_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
_COLOURS = {1: 0, 3: 2}  # channels → PNG's colour type: grey, RGB


def encode_many(images: npt.NDArray[np.uint8]) -> list[bytes]:
    """Images, uint8 (n, C, H, W) with 1 or 3 channels, as PNG files. Source: the PNG specification, 3rd edition."""
    count, channels, height, width = images.shape
    # Each line begins with the number of its filter; 0 leaves the pixels as they are.
    lines = np.zeros((count, height, 1 + width * channels), np.uint8)
    lines[:, :, 1:] = images.transpose(0, 2, 3, 1).reshape(count, height, width * channels)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    start = _MAGIC + _chunk(b"IHDR", head)
    return [b"".join((start, _chunk(b"IDAT", zlib.compress(line, LEVEL)), _END)) for line in lines]


def decode_one(data: Any, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """The pixels of a PNG: uint8 (C, H, W). Only this shape is taken, so no header can ask for more memory."""
    channels, height, width = shape
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        if picture.size != (width, height) or picture.mode != ("L" if channels == 1 else "RGB"):
            got = f"{picture.mode}, {picture.width} × {picture.height}"
            raise FormatError("a PNG of the wrong kind", expected=f"{channels} × {height} × {width}", got=got)
        pixels = np.asarray(picture, np.uint8)
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def decode_many(files: Iterable[Any], shape: tuple[int, int, int], count: int) -> npt.NDArray[np.uint8]:
    """The pixels of `count` PNGs: uint8 (n, C, H, W)."""
    images = np.empty((count, *shape), np.uint8)
    for row, data in enumerate(files):
        images[row] = decode_one(data, shape)
    return images


def _chunk(kind: bytes, data: bytes) -> bytes:
    content = kind + data
    return b"".join((struct.pack(">I", len(data)), content, struct.pack(">I", zlib.crc32(content))))
