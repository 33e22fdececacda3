"""NumPy's npz: a zip of one .npy array per name.

Written deflated, with a fixed time, so that the same arrays are the same bytes. `numpy.load` would believe the zip's
and the arrays' headers and can unpickle; here the zip is read member by member, a header's shape must agree with the
size that the zip states, both are capped, and an array of objects is refused unread.
Source: numpy.lib.format, "Format Version 1.0".
"""

import errno
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from millrace.errors import FormatError
from millrace.formats import npy_file
from millrace.formats.rows import BITS, PARAMETERS, Rows
from millrace.formats.shards import Fetch, Files, ShardInfo
from millrace.labels import label_type

TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
LEVEL = 1
MAX_MEMBERS = 1_000
CHUNK = 1 << 20
# What zipfile raises for damage of every kind, beside its own BadZipFile.
DAMAGE = (
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
_TYPES = {"images": np.uint8, "originals": np.uint8, "samples": np.int64, "epochs": np.int32}


def encode(rows: Rows, info: ShardInfo) -> tuple[Sequence[Any], Files]:
    """The shard as one npz file."""
    columns: dict[str, Any] = {"images": rows.images, "labels": rows.labels}
    columns |= {"samples": rows.samples, "epochs": rows.epochs}
    for name, values in zip(PARAMETERS, rows.parameters.T, strict=True):
        columns[name] = values != 0.0 if name == BITS else values
    columns["classes"] = np.array(info.classes)
    if rows.originals is not None:
        columns["originals"] = rows.originals
    return [write(columns)], []


def decode(data: Any, info: ShardInfo, fetch: Fetch) -> Rows:
    """The rows of a shard."""
    pictures = ("images", "originals") if info.originals else ("images",)
    names = (*pictures, "labels", "samples", "epochs", *PARAMETERS)
    pixels = len(pictures) * int(np.prod(info.shape))
    most = info.rows * (pixels + 64) + 1024 * len(names)  # the numbers of a row take less than 64 bytes
    found = read(io.BytesIO(data), names, "the shard", most, npy_file.NUMBERS)
    for name, array in found.items():
        kind = _type(name, info)
        shape = (info.rows, *(info.shape if name in pictures else ()))
        if array.dtype != kind or array.shape != shape:
            got = f"{array.dtype} {array.shape}"
            raise FormatError(f"array {name} of the wrong kind", expected=f"{kind} {shape}", got=got)
    drawn = np.stack([found[name].astype(np.float32) for name in PARAMETERS], axis=1)
    columns: dict[str, Any] = {name: found[name] for name in (*pictures, "labels", "samples", "epochs")}
    return Rows(**columns, parameters=drawn)


def _type(name: str, info: ShardInfo) -> np.dtype[Any]:
    if name == "labels":
        return label_type(len(info.classes))
    return np.dtype(_TYPES.get(name, np.bool_ if name == BITS else np.float32))


def write(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The arrays as an npz file, always to the same bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, values in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", TIME)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            member = io.BytesIO()
            npy.write_array(member, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
            archive.writestr(info, member.getvalue(), compresslevel=LEVEL)
    return sink.getvalue()


def read(file: IO[bytes], names: Sequence[str], what: str, most: int, kinds: str) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of these names, read-only views of memory of their own; others are left unread.

    most: bytes that all of them together may state. kinds: of dtype that are taken, see `npy_file`. Errors:
    FormatError naming `what`; OSError of the file.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check_names(what, archive.namelist(), names)
            _check_sizes(what, [archive.getinfo(f"{name}.npy") for name in names], most)
            return {name: _array(archive, f"{name}.npy", f"{what}: {name}", kinds) for name in names}
    except (OSError, *DAMAGE) as error:
        raise _unreadable(what, error) from None


def names(file: IO[bytes], what: str) -> list[str]:
    """What the arrays are called; nothing of them is read. Errors as for `read`."""
    try:
        with zipfile.ZipFile(file) as archive:
            found = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            _check_names(what, archive.namelist(), found)
            return found
    except (OSError, *DAMAGE) as error:
        raise _unreadable(what, error) from None


def headers(file: IO[bytes], what: str) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of every array, from their heads alone; of any dtype, also those that `read` refuses."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            _check_names(what, archive.namelist(), [name.removesuffix(".npy") for name in names])
            _check_sizes(what, [archive.getinfo(name) for name in names], most=1 << 62)
            return {name.removesuffix(".npy"): _head(archive, name, what) for name in names}
    except (OSError, *DAMAGE) as error:
        raise _unreadable(what, error) from None


def _head(archive: zipfile.ZipFile, name: str, what: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(name) as stream:
        shape, _, dtype = npy_file.header(stream, f"{what}: {name}", npy_file.ANYTHING)
    return shape, dtype


def _unreadable(what: str, error: Exception) -> Exception:
    if is_fault_of_the_disk(error):
        return error
    return FormatError(f"{what} is not a readable npz (zip) file", got=f"{error}"[:200])


def is_fault_of_the_disk(error: Exception) -> bool:
    """Whether this error of reading a zip is none of its bytes."""
    # A zip that points before its own beginning makes the system refuse to seek there (EINVAL).
    return isinstance(error, OSError) and error.errno != errno.EINVAL


def _check_names(what: str, found: list[str], names: Sequence[str]) -> None:
    if len(found) > MAX_MEMBERS:
        raise FormatError(f"{what} has too many members", expected=f"at most {MAX_MEMBERS}", got=len(found))
    for name in names:
        if found.count(f"{name}.npy") != 1:
            raise FormatError(
                f"{what} must hold the array {name} once",
                expected=", ".join(names),
                got=ascii(", ".join(entry.removesuffix(".npy") for entry in found[:20])),
            )


def _check_sizes(what: str, members: Sequence[zipfile.ZipInfo], most: int) -> None:
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise FormatError(f"{what} is compressed in a way that npz files are not", expected="stored or deflated")
    stated = sum(member.file_size for member in members)
    if stated > most:
        raise FormatError(f"{what} is larger than it may be", expected=f"at most {most} bytes", got=f"{stated} bytes")


def _array(archive: zipfile.ZipFile, member: str, what: str, kinds: str) -> npt.NDArray[np.generic]:
    stated = archive.getinfo(member).file_size
    with archive.open(member) as stream:
        shape, fortran, dtype = npy_file.header(stream, what, kinds)
        count = 1
        for side in shape:
            count *= side
        expected = count * dtype.itemsize
        if count < 0 or expected > stated:
            raise FormatError(f"{what}: its header promises more than the file holds", got=f"{shape} {dtype}")
        data = _exactly(stream, expected, what)
    array = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _exactly(stream: IO[bytes], count: int, what: str) -> bytearray:
    out = bytearray()
    while len(out) <= count and (data := stream.read(min(CHUNK, count + 1 - len(out)))):
        out += data
    if len(out) != count:
        got = f"{len(out)} bytes" if len(out) < count else "more"
        raise FormatError(f"{what} has the wrong length", expected=f"{count} bytes", got=got)
    return out
