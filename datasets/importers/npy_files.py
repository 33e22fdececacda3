"""Pairs of npy files: a folder with `images.npy` and `labels.npy`, `x_train.npy` …; see `array_names`.

Also the beginning of their names, as in `data/shapes` for `data/shapes_images.npy` and `data/shapes_labels.npy`, or one
of the files. Files are mapped, so they may be larger than memory.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from millrace.datasets.importers.array_names import begins, pairs, role_of
from millrace.datasets.importers.array_survey import ArraySurvey, StoredSplit
from millrace.datasets.importers.options import Reading
from millrace.datasets.label_arrays import as_labels
from millrace.formats import npy_file

kind = "npy"
SUFFIX = ".npy"


def claims(path: Path) -> str | None:
    """Why this path is of this kind: npy files whose names say images and labels."""
    roles = {name: role for name in _files(path) if (role := role_of(name)) is not None}
    if {role.kind for role in roles.values()} >= {"images", "labels"} or (roles and path.is_file()):
        return ", ".join(f"{name}{SUFFIX}" for name in sorted(roles)[:8])
    return None


def survey(path: Path, reading: Reading) -> ArraySurvey:
    """The splits in the files, from their heads and the labels."""
    files = _files(path)
    found = pairs(files, str(path), reading.labels)
    parts = {}
    for split, (images, labels) in found.items():
        shape, _, dtype = npy_file.head(files[images], npy_file.NUMBERS)
        read = as_labels(npy_file.mapped(files[labels]), files[labels].name, reading.labels_from)
        parts[split] = StoredSplit(files[images].name, shape, dtype, partial(npy_file.mapped, files[images]), read)
    used = [files[name] for pair in found.values() for name in pair]
    others = sorted(file.name for file in files.values() if file not in used)
    notes = [f"passed over: {', '.join(others[:10])}{' …' if len(others) > 10 else ''}"] if others else []
    return ArraySurvey(kind, parts, reading, used[0].parent, used, notes)


def _files(path: Path) -> Mapping[str, Path]:
    """The npy files that a path stands for, by their names without the ending."""
    if path.is_dir():
        folder, start = path, ""
    elif path.suffix.lower() == SUFFIX and path.is_file():
        folder, start = path.parent, ""
    elif not path.exists() and path.parent.is_dir():
        folder, start = path.parent, path.name
    else:
        return {}
    found = (file for file in folder.iterdir() if file.suffix.lower() == SUFFIX and not file.name.startswith("."))
    return {file.stem: file for file in found if begins(file.name, start) and file.is_file()}
