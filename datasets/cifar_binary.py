"""The binary format of CIFAR-10: records of one label byte, then C*H*W pixel bytes, channel by channel.

CIFAR-100's records have two label bytes, the coarse one first.
Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version". The Python version holds pickles
and is never read.
"""

import numpy as np

from millrace.datasets.arrays import U8Array
from millrace.errors import FormatError

COLUMNS = {"": (1, 0), "coarse": (2, 0), "fine": (2, 1)}  # labels → how many label bytes there are, and which counts


def read_records(what: str, data: bytes | bytearray, shape: tuple[int, int, int], labels: str = "") -> U8Array:
    """The records in the bytes of one piece, a view of them: uint8 (n, L + C*H*W), L as `labels`, a key of COLUMNS."""
    count = COLUMNS[labels][0]
    record = count + shape[0] * shape[1] * shape[2]
    if not data or len(data) % record:
        raise FormatError(
            f"{what} does not consist of whole records",
            expected=f"a multiple of {record} bytes ({count} + {' x '.join(map(str, shape))})",
            got=f"{len(data)} bytes",
        )
    return np.frombuffer(data, np.uint8).reshape(-1, record)


def join(pieces: list[U8Array], shape: tuple[int, int, int], labels: str = "") -> tuple[U8Array, U8Array]:
    """Images uint8 (n, C, H, W) and labels uint8 (n,), each contiguous, of the records one after another."""
    count, column = COLUMNS[labels]
    images = np.concatenate([records[:, count:] for records in pieces]).reshape(-1, *shape)
    return images, np.concatenate([records[:, column] for records in pieces])
