"""The binary format of CIFAR-10: records of one label byte, then C*H*W pixel bytes, channel by channel.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version". The Python version holds pickles
and is never read.
"""

import numpy as np

from millrace.datasets.arrays import U8Array
from millrace.errors import FormatError


def read_records(what: str, data: bytes | bytearray, shape: tuple[int, int, int]) -> tuple[U8Array, U8Array]:
    """Views of images uint8 (n, C, H, W) and labels uint8 (n,) in the bytes of one piece."""
    record = 1 + shape[0] * shape[1] * shape[2]
    if not data or len(data) % record:
        raise FormatError(
            f"{what} does not consist of whole records",
            expected=f"a multiple of {record} bytes (1 + {' x '.join(map(str, shape))})",
            got=f"{len(data)} bytes",
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    return rows[:, 1:].reshape(-1, *shape), rows[:, 0]


def join(pieces: list[tuple[U8Array, U8Array]]) -> tuple[U8Array, U8Array]:
    """Pieces one after another: images (n, C, H, W) and labels (n,), each contiguous."""
    images = np.concatenate([images for images, _ in pieces])
    labels = np.concatenate([labels for _, labels in pieces])
    return images, labels
