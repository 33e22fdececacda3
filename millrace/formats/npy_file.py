"""NumPy's npy: a head that states dtype, order and shape, then the values.

Arrays of objects hold pickles and are refused unread. Source: numpy.lib.format, "Format Version 1.0" to "3.0".
"""

import math
import os
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from millrace.errors import FormatError

MAGIC = npy.MAGIC_PREFIX
WHOLE, NUMBERS, TEXT, ANYTHING = "bui", "buif", "U", "buifcmMOSUV"  # kinds of dtype
Header = tuple[tuple[int, ...], bool, np.dtype[np.generic]]


def header(stream: IO[bytes], what: str, kinds: str) -> Header:
    """Shape, whether it is in Fortran's order, and dtype, from the head of a stream, which then stands at the values.

    kinds: of dtype that are taken. FormatError naming `what` for another one, or a head that is none.
    """
    # The header is a Python literal; numpy caps its length and raises or warns in many ways.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            version = npy.read_magic(stream)
            if version == (1, 0):
                shape, fortran, dtype = npy.read_array_header_1_0(stream)
            elif version in ((2, 0), (3, 0)):  # 3.0 is 2.0 with names of fields in UTF-8; arrays of numbers have none
                shape, fortran, dtype = npy.read_array_header_2_0(stream)
            else:
                raise ValueError(f"version {version}")
    except Exception as error:
        raise FormatError(f"{what} is not a .npy array", got=f"{type(error).__name__}: {error}"[:200]) from None
    if dtype.kind not in kinds or (dtype.itemsize == 0 and kinds != ANYTHING) or min(shape, default=1) < 0:
        numbers = "whole numbers" if kinds == WHOLE else "numbers"
        do = "arrays of objects hold pickles, which are never read: save numbers" if dtype.hasobject else None
        raise FormatError(f"{what} is not an array of {numbers}", expected="uint8", got=f"{dtype} {shape}", do=do)
    # NumPy has no array of such a shape, also where it would be empty.
    if math.prod(size for size in shape if size) * max(dtype.itemsize, 1) > np.iinfo(np.intp).max:
        raise FormatError(f"{what} has a shape that no array can have", got=f"{dtype} {shape}")
    return shape, fortran, dtype


def head(path: Path, kinds: str = ANYTHING) -> Header:
    """The head of a file. Errors: FormatError, OSError."""
    with open(path, "rb") as file:
        return header(file, path.name, kinds)


def mapped(path: Path, kinds: str = NUMBERS) -> npt.NDArray[Any]:
    """The array in a file, mapped and not read; read-only. Errors: FormatError, OSError."""
    with open(path, "rb") as file:
        shape, fortran, dtype = header(file, path.name, kinds)
        start, size = file.tell(), os.fstat(file.fileno()).st_size
    count = math.prod(shape)
    if start + count * dtype.itemsize != size:
        expected = f"{count * dtype.itemsize} bytes ({dtype} {shape})"
        raise FormatError(f"{path.name} has the wrong length", expected=expected, got=f"{size - start} bytes")
    if not count:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")
