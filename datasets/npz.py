"""NumPy's npz: a zip of .npy arrays named train_images, train_labels, test_images and test_labels.

`numpy.load` would believe the zip's and the arrays' headers and can unpickle. Here the zip is read
member by member, a header's shape must agree with the size that the zip states, both are capped, and
an array of objects is refused unread. Source: numpy.lib.format, "Format Version 1.0".
"""

import errno
import struct
import warnings
import zipfile
import zlib
from typing import IO

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from millrace.datasets.arrays import MAX_SIDE, Arrays, U8Array
from millrace.datasets.content import CHUNK
from millrace.datasets.spec import plausible
from millrace.errors import FormatError

NAMES = ("train_images", "train_labels", "test_images", "test_labels")
MAX_MEMBERS = 1_000
_Header = tuple[tuple[int, ...], bool, np.dtype[np.generic]]
# What zipfile raises for damage of every kind, besides its own BadZipFile.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


def read_npz(file: IO[bytes], size: int, what: str, layout: str) -> Arrays:
    """The four arrays of an open npz file of `size` bytes: images uint8 (n, C, H, W), labels uint8 (n,).

    Images are stored as uint8 (n, H, W), or with four axes in the order of `layout`, `chw` or `hwc`;
    labels as whole numbers of any type. FormatError for anything else.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check_names(what, archive.namelist())
            _check_sizes(what, archive, size)
            arrays = {name: _read(archive, f"{name}.npy", f"{what}: {name}") for name in NAMES}
    except (OSError, *_DAMAGE) as error:
        # A zip that points before its own beginning makes the system refuse to seek there (EINVAL).
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise FormatError(f"{what} is not a readable npz (zip) file", got=f"{error}"[:200]) from None
    return Arrays(
        _images(arrays["train_images"], f"{what}: train_images", layout),
        _labels(arrays["train_labels"], f"{what}: train_labels"),
        _images(arrays["test_images"], f"{what}: test_images", layout),
        _labels(arrays["test_labels"], f"{what}: test_labels"),
    )


def _check_names(what: str, names: list[str]) -> None:
    if len(names) > MAX_MEMBERS:
        raise FormatError(f"{what} has too many members", expected=f"at most {MAX_MEMBERS}", got=len(names))
    for name in NAMES:
        if names.count(f"{name}.npy") != 1:
            raise FormatError(
                f"{what} must hold the array {name} once",
                expected=", ".join(NAMES),
                got=ascii(", ".join(entry.removesuffix(".npy") for entry in names[:20])),
            )


def _check_sizes(what: str, archive: zipfile.ZipFile, sent: int) -> None:
    members = [archive.getinfo(f"{name}.npy") for name in NAMES]
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise FormatError(f"{what} is compressed in a way that npz files are not", expected="stored or deflated")
    stated = sum(member.file_size for member in members)
    if stated > plausible(sent):
        raise FormatError(
            f"{what} is larger than it may be", expected=f"at most {plausible(sent)} bytes", got=f"{stated} bytes"
        )


def _read(archive: zipfile.ZipFile, member: str, what: str) -> npt.NDArray[np.generic]:
    stated = archive.getinfo(member).file_size
    with archive.open(member) as stream:
        shape, fortran, dtype = _header(stream, what)
        count = 1
        for side in shape:
            count *= side
        expected = count * dtype.itemsize
        if count < 0 or expected > stated:
            raise FormatError(f"{what}: its header promises more than the file holds", got=f"{shape} {dtype}")
        data = _exactly(stream, expected, what)
    array = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes], what: str) -> _Header:
    # The header is a Python literal; numpy caps its length and raises or warns in many ways.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            version = npy.read_magic(stream)
            if version == (1, 0):
                shape, fortran, dtype = npy.read_array_header_1_0(stream)
            elif version == (2, 0):
                shape, fortran, dtype = npy.read_array_header_2_0(stream)
            else:
                raise ValueError(f"version {version}")
    except Exception as error:
        raise FormatError(f"{what} is not a .npy array", got=f"{type(error).__name__}: {error}"[:200]) from None
    if dtype.hasobject or dtype.kind not in "bui" or dtype.itemsize == 0 or min(shape, default=1) < 0:
        raise FormatError(f"{what} is not an array of whole numbers", expected="uint8", got=f"{dtype} {shape}")
    return shape, fortran, dtype


def _exactly(stream: IO[bytes], count: int, what: str) -> bytearray:
    out = bytearray()
    while len(out) <= count and (data := stream.read(min(CHUNK, count + 1 - len(out)))):
        out += data
    if len(out) != count:
        got = f"{len(out)} bytes" if len(out) < count else "more"
        raise FormatError(f"{what} has the wrong length", expected=f"{count} bytes", got=got)
    return out


def _images(array: npt.NDArray[np.generic], what: str, layout: str) -> U8Array:
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or not all(0 < s <= MAX_SIDE for s in array.shape[1:]):
        raise FormatError(
            f"{what} is not a stack of images",
            expected=f"uint8 of shape (n, H, W) or (n, {', '.join(layout.upper())})",
            got=f"{array.dtype} of shape {array.shape}",
        )
    if array.ndim == 3:
        array = array[:, np.newaxis]
    elif layout == "hwc":
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(array, np.uint8)


def _labels(array: npt.NDArray[np.generic], what: str) -> U8Array:
    if array.ndim != 1 or not array.size:
        raise FormatError(f"{what} is not a list of labels", expected="shape (n,)", got=f"shape {array.shape}")
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest > 255:
        raise FormatError(f"{what} holds an impossible label", expected="0 to 255", got=f"{lowest} to {highest}")
    return np.ascontiguousarray(array.astype(np.uint8))
