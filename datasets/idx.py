"""The IDX format of MNIST: two zero bytes, a type code, the number of dimensions, their sizes, then the values.

All numbers are big-endian. Source: http://yann.lecun.com/exdb/mnist/, "THE IDX FILE FORMAT". QMNIST's labels are
`idx2-int` of 8 columns, the first of which is the class (https://github.com/facebookresearch/qmnist).
"""

import math
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets.content import Content
from millrace.datasets.label_arrays import FoundLabels, as_labels
from millrace.datasets.spec import MAX_BYTES
from millrace.errors import FormatError

AnyArray = npt.NDArray[Any]
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 4
INT, QMNIST_COLUMNS = ">i4", 8
MAX_LABEL_DIMENSIONS = 2


def read_images(content: Content) -> AnyArray:
    """The array in an IDX stream of images: (n, H, W), or of 4 dimensions, in its own dtype; see `pixel_arrays`."""
    dtype, shape = read_header(content)
    if len(shape) <= MAX_LABEL_DIMENSIONS:
        raise _swapped(content, "labels, and should be images", "3 or 4 dimensions", shape)
    return _body(content, dtype, shape)


def read_labels(content: Content) -> AnyArray:
    """The array in an IDX stream of labels: (n,), (n, 1), one-hot or QMNIST's, in its own dtype; see `labels_of`."""
    dtype, shape = read_header(content)
    if len(shape) > MAX_LABEL_DIMENSIONS:
        raise _swapped(content, "images, and should be labels", "1 or 2 dimensions", shape)
    return _body(content, dtype, shape)


def labels_of(array: AnyArray, what: str, labels_from: int = 0) -> FoundLabels:
    """The labels in an array of IDX: as `as_labels` takes them, or the first of QMNIST's columns."""
    if array.ndim == 2 and array.shape[1] == QMNIST_COLUMNS and array.dtype == np.dtype(INT) and (array > 1).any():
        array = array[:, 0]
    return as_labels(array, what, labels_from)


def read_header(content: Content) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """dtype and shape that the head of an IDX stream states, of 1 to 4 dimensions; FormatError for another magic."""
    magic = content.read(4)
    if magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= MAX_DIMENSIONS:
        raise FormatError(
            f"{content.what}: wrong magic",
            expected="0x0000TTDD (IDX): type TT of 08, 09, 0b, 0c, 0d or 0e, 1 to 4 dimensions",
            got=f"0x{magic.hex()}",
        )
    return np.dtype(TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", content.read(4 * magic[3]))


def _swapped(content: Content, problem: str, expected: str, shape: tuple[int, ...]) -> FormatError:
    return FormatError(
        f"{content.what} holds {problem}",
        expected=expected,
        got=f"{len(shape)}, of {' x '.join(map(str, shape))}",
        do="are the files of images and of labels swapped?",
    )


def _body(content: Content, dtype: np.dtype[Any], shape: tuple[int, ...]) -> AnyArray:
    total = dtype.itemsize * math.prod(shape)
    # NumPy has no array whose other sides are too long, also where one is 0 and it would be empty.
    longest = dtype.itemsize * math.prod(side for side in shape if side)
    if total > MAX_BYTES or longest > np.iinfo(np.intp).max:
        sides = " x ".join(map(str, shape))
        raise FormatError(
            f"{content.what}: an impossible header",
            expected=f"at most {MAX_BYTES} bytes",
            got=f"{total} bytes, of {sides}",
        )
    data = content.read(total)
    content.end()
    return np.frombuffer(data, dtype).reshape(shape)
