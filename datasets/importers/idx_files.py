"""A folder of IDX files with their publishers' names: MNIST's, and those made like it.

`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-…` or `test-images-…`; a dot in the place of a dash;
`.gz` or not; with a beginning, such as `qmnist-` or `emnist-letters-`, which as a path (`gzip/emnist-letters`) tells
several sets apart. A file that lies there packed and unpacked is read unpacked.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets import idx
from millrace.datasets.content import open_content
from millrace.datasets.importers.array_names import IMAGES, LABELS, begins, pairs
from millrace.datasets.importers.array_survey import ArraySurvey, StoredSplit
from millrace.datasets.importers.options import Reading
from millrace.datasets.spec import FileSpec
from millrace.errors import MillraceError

kind = "IDX"
_NAME = re.compile(
    r"((?:.*[-_.])?(?:train|test|t10k|val)[-_.](?:images|labels))(?:[-_.]idx\d[-_.]?[a-z]*)?(\.idx)?(\.gz)?", re.I
)


def claims(path: Path) -> str | None:
    """Why this path is of this kind: files with such names, of images and of labels, one of which begins like IDX."""
    files = _files(path)
    kinds = {kind for kind in (IMAGES, LABELS) for name in files if name.lower().endswith(kind)}
    if len(kinds) < 2 or not any(_is_idx(file) for file in files.values()):
        return None
    return ", ".join(sorted(file.name for file in files.values())[:8])


def survey(path: Path, reading: Reading) -> ArraySurvey:
    """The splits in the files, from their heads and the labels."""
    files = _files(path)
    found = pairs(files, str(path), reading.labels)
    parts = {}
    for split, (images, labels) in found.items():
        dtype, shape = _head(files[images])
        read = idx.labels_of(_read(files[labels], LABELS), files[labels].name, reading.labels_from)
        parts[split] = StoredSplit(files[images].name, shape, dtype, partial(_read, files[images], IMAGES), read)
    used = [files[name] for pair in found.values() for name in pair]
    others = sorted(file.name for file in files.values() if file not in used)
    notes = [f"passed over: {', '.join(others[:10])}{' …' if len(others) > 10 else ''}"] if others else []
    if any("emnist" in name.lower() and "qmnist" not in name.lower() for name in files):
        notes.append("EMNIST's images lie transposed, and its letters count from 1: the names emnist-… turn them")
    return ArraySurvey(kind, parts, reading, used[0].parent, used, notes)


def _files(path: Path) -> Mapping[str, Path]:
    """The IDX files that a path stands for, by their names up to `images` or `labels`."""
    if path.is_dir():
        folder, start = path, ""
    elif not path.exists() and path.parent.is_dir():
        folder, start = path.parent, path.name
    else:
        return {}
    found: dict[str, Path] = {}
    # Unpacked before packed: the shorter name comes first, and stays.
    for file in sorted(folder.iterdir(), key=lambda file: (len(file.name), file.name)):
        match = _NAME.fullmatch(file.name)
        if match and begins(file.name, start) and not file.name.startswith(".") and file.is_file():
            found.setdefault(match[1], file)
    return found


def _is_idx(file: Path) -> bool:
    try:
        _head(file)
    except (MillraceError, OSError):
        return False
    return True


def _spec(file: Path) -> FileSpec:
    return FileSpec(re.sub(r"[^A-Za-z0-9._-]", "-", file.name).strip("-._")[:64] or kind)


def _head(file: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    with open_content(file, _spec(file)) as content:
        return idx.read_header(content)


def _read(file: Path, what: str) -> npt.NDArray[Any]:
    with open_content(file, _spec(file)) as content:
        return idx.read_images(content) if what == IMAGES else idx.read_labels(content)
