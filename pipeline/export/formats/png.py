"""Pixels to PNG, always to the same bytes: no time, no text, filter 0, one deflate stream of a fixed level."""

import struct
import zlib

import numpy as np
import numpy.typing as npt

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


def _chunk(kind: bytes, data: bytes) -> bytes:
    content = kind + data
    return b"".join((struct.pack(">I", len(data)), content, struct.pack(">I", zlib.crc32(content))))
