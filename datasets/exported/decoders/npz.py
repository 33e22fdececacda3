"""NumPy's npz: one array per column. Nothing is unpickled, and no header is believed beyond the size of the file."""

import io
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.lib import format as npy

from millrace.datasets.exported.manifest import Manifest
from millrace.datasets.exported.rows import PARAMETERS, Rows
from millrace.errors import FormatError


def decode(data: pa.Buffer, manifest: Manifest, fetch: Any) -> Rows:
    """The rows of a shard."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            labels = _read(archive, "labels", np.uint8, (), None)
            count = len(labels)
            pixels = [
                _read(archive, name, np.uint8, manifest.shape, count) if f"{name}.npy" in archive.namelist() else None
                for name in ("images", "originals")
            ]
            parameters = [_read(archive, n, np.bool_ if n == "flip" else np.float32, (), count) for n in PARAMETERS]
            samples = _read(archive, "samples", np.int64, (), count)
            epochs = _read(archive, "epochs", np.int32, (), count)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise FormatError("not a readable npz (zip) file", got=str(error)) from None
    if pixels[0] is None:
        raise FormatError("the npz holds no images")
    drawn = np.stack([column.astype(np.float32) for column in parameters], axis=1)
    return Rows(pixels[0], labels, samples, epochs, drawn, pixels[1])


def _read(
    archive: zipfile.ZipFile, name: str, kind: Any, shape: tuple[int, ...], count: int | None
) -> npt.NDArray[Any]:
    """One array (count, *shape); its header must say exactly that."""
    with archive.open(f"{name}.npy") as stream:
        npy.read_magic(stream)
        stated, fortran, dtype = npy.read_array_header_1_0(stream)
        rows = archive.getinfo(f"{name}.npy").file_size // np.dtype(kind).itemsize if count is None else count
        fits = len(stated) == 1 + len(shape) and 0 <= stated[0] <= rows and (count is None or stated[0] == count)
        if fortran or dtype != np.dtype(kind) or not fits or stated[1:] != shape:
            raise FormatError(f"array {name} of the wrong kind", expected=f"{np.dtype(kind)} {shape}", got=f"{stated}")
        size = int(np.prod(stated)) * dtype.itemsize
        content = stream.read(size)
    if len(content) != size:
        raise FormatError(f"array {name} is cut short", expected=f"{size} bytes", got=len(content))
    return np.frombuffer(content, dtype).reshape(stated)
