"""What the files of a table held, as a digest: whether they still do is known without decoding them.

Of each picture, in the order of the rows: sha256 of its bytes, zeros where they cannot be read, and its label.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from millrace.cores import cores
from millrace.datasets.arrays import U8Array
from millrace.datasets.decoding.arranging import arranged, labels_of
from millrace.datasets.decoding.work import over_rows
from millrace.datasets.importers.inventory import Picture
from millrace.datasets.importers.path_spec import PathSpec
from millrace.errors import DataError

BYTES = 32  # of a sha256


def digests(pictures: Sequence[Picture]) -> U8Array:
    """Room for the sha256 of each picture: uint8 (n, 32), zeros."""
    return np.zeros((len(pictures), BYTES), np.uint8)


def note(room: U8Array, row: int, data: bytes) -> None:
    """Put down what a picture's bytes are."""
    room[row] = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)


def content_of(found: Sequence[tuple[U8Array, npt.NDArray[np.int64]]]) -> str:
    """Hexadecimal sha256 over the digests and the labels, (n,), of each table's pictures, those left out counted in."""
    total = hashlib.sha256()
    for rows, labels in found:
        total.update(rows.tobytes())
        total.update(labels.astype("<i8").tobytes())
    return total.hexdigest()


def same_content(spec: PathSpec, content: str) -> bool:
    """Whether the pictures of this dataset are those that a table of this content was made of: all are read."""
    if not spec.surveyed.encoded:
        return False
    found = []
    for pictures in arranged(spec.surveyed):
        room = digests(pictures)

        def look(row: int, pictures: Sequence[Picture] = pictures, room: U8Array = room) -> None:
            try:
                note(room, row, pictures[row].read())
            except (OSError, DataError):
                room[row] = 0

        over_rows(len(pictures), look, cores())
        found.append((room, labels_of(pictures)))
    return content_of(found) == content
