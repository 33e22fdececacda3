"""The IDX format of MNIST: big-endian magic 0x00000803 or 0x00000801, dimensions, then unsigned bytes.

Source: http://yann.lecun.com/exdb/mnist/, "THE IDX FILE FORMAT". Only unsigned bytes (type 0x08) are read.
"""

import struct

import numpy as np

from millrace.datasets.arrays import MAX_SIDE, U8Array
from millrace.datasets.content import Content
from millrace.datasets.spec import MAX_BYTES
from millrace.errors import FormatError

UNSIGNED_BYTE = 0x08


def read_images(content: Content) -> U8Array:
    """Images of an IDX stream of 3 dimensions: uint8, shape (n, 1, H, W)."""
    count, height, width = _header(content, 3)
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise FormatError(
            f"{content.what}: an impossible image size",
            expected=f"sides of 1 to {MAX_SIDE}",
            got=f"{height} x {width}",
        )
    return _body(content, (count, 1, height, width))


def read_labels(content: Content) -> U8Array:
    """Labels of an IDX stream of 1 dimension: uint8, shape (n,)."""
    (count,) = _header(content, 1)
    return _body(content, (count,))


def _header(content: Content, dimensions: int) -> tuple[int, ...]:
    expected = UNSIGNED_BYTE << 8 | dimensions
    (magic,) = struct.unpack(">I", content.read(4))
    if magic != expected:
        raise FormatError(
            f"{content.what}: wrong magic",
            expected=f"0x{expected:08x} (IDX, unsigned bytes, {dimensions} dimensions)",
            got=f"0x{magic:08x}",
        )
    return struct.unpack(f">{dimensions}I", content.read(4 * dimensions))


def _body(content: Content, shape: tuple[int, ...]) -> U8Array:
    total = 1
    for side in shape:
        total *= side
    if total > MAX_BYTES:
        raise FormatError(
            f"{content.what}: an impossible header", expected=f"at most {MAX_BYTES} bytes", got=f"{total} bytes"
        )
    data = content.read(total)
    content.end()
    return np.frombuffer(data, np.uint8).reshape(shape)
