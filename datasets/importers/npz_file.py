"""An npz file: NumPy's arrays in a zip, as `np.savez`, Keras and MedMNIST write them; see `array_names`."""

import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets.importers.array_names import pairs
from millrace.datasets.importers.array_survey import ArraySurvey, StoredSplit
from millrace.datasets.importers.options import Reading
from millrace.datasets.label_arrays import as_labels
from millrace.datasets.spec import FREE_BYTES, MAX_RATIO
from millrace.errors import FormatError
from millrace.formats import npy_file, npz

kind = "npz"
ZIP_MAGIC = b"PK\x03\x04"
CLASSES = ("classes", "class_names", "label_names")  # arrays of text that name the classes


def claims(path: Path) -> str | None:
    """Why this path is of this kind: a zip whose name, or whose members' names, are NumPy's."""
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        if file.read(4) != ZIP_MAGIC:
            return None
        if path.suffix.lower() == ".npz":
            return "a zip called .npz"
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            return None
    return "a zip of .npy arrays" if names and all(name.endswith(".npy") for name in names) else None


def survey(path: Path, reading: Reading) -> ArraySurvey:
    """The splits in the file, from the arrays' heads and the labels."""
    with open(path, "rb") as file:
        heads = npz.headers(file, path.name)
    names = [name for name, (_, dtype) in heads.items() if dtype.kind not in "USO"]
    try:
        found = pairs(names, path.name, reading.labels)
    except FormatError as error:
        raise _with_arrays(error, heads) from None
    parts = {}
    for split, (images, labels) in found.items():
        shape, dtype = heads[images]
        what = f"{path.name}: {labels}"
        parts[split] = StoredSplit(
            f"{path.name}: {images}",
            shape,
            dtype,
            partial(_read, path, images),
            as_labels(_read(path, labels), what, reading.labels_from),
        )
    used = {name for pair in found.values() for name in pair} | set(CLASSES)
    others = sorted(name for name in heads if name not in used)
    notes = [f"passed over: {', '.join(others[:10])}{' …' if len(others) > 10 else ''}"] if others else []
    return ArraySurvey(kind, parts, reading, path.parent, [path], notes, _classes(path, heads))


def _read(path: Path, name: str, kinds: str = npy_file.NUMBERS) -> npt.NDArray[Any]:
    size = path.stat().st_size
    with open(path, "rb") as file:
        return npz.read(file, (name,), path.name, max(FREE_BYTES, MAX_RATIO * size), kinds)[name]


def _classes(path: Path, heads: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> tuple[str, ...]:
    for name in CLASSES:
        if name in heads and heads[name][1].kind in npy_file.TEXT and len(heads[name][0]) == 1:
            names = tuple(str(value) for value in _read(path, name, npy_file.TEXT))
            if len(set(names)) == len(names) and all(names):
                return names
    return ()


def _with_arrays(error: FormatError, heads: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> FormatError:
    listed = [f"{name} {dtype} {shape}" for name, (shape, dtype) in sorted(heads.items())[:20]]
    do = error.do
    if any(dtype.hasobject for _, dtype in heads.values()):
        do = "arrays of objects hold pickles, which are never read: save numbers"
    elif texts := [name for name, (_, dtype) in heads.items() if dtype.kind in "SU" and name not in CLASSES]:
        do = f"{texts[0]} holds text: number the classes; their names may stand in classes.txt, or in {CLASSES[0]}"
    return FormatError(error.what, expected=error.expected, got=", ".join(listed) or "no arrays", do=do)
