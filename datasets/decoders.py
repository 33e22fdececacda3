"""From files on disk to arrays, for every format: the one table of decoders.

Each file is read once: decompressed, digested and decoded in the same pass, so that the digests are those of
the very bytes that were decoded.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy.typing as npt

from millrace.datasets import archive, cifar_binary, idx, npz, svhn, zip_archive
from millrace.datasets.arrays import Arrays, checked
from millrace.datasets.content import Content, open_content
from millrace.datasets.label_arrays import FoundLabels, as_labels
from millrace.datasets.pixel_arrays import as_images
from millrace.datasets.spec import SPLIT_PARTS, DatasetSpec, FileSpec
from millrace.errors import FormatError
from millrace.labels import Labels

Pieces = Mapping[str, npt.NDArray[Any]]  # what a file holds: an array for each part, or records for each member


def built_in(spec: DatasetSpec) -> Arrays:
    """The arrays of a dataset that needs no file."""
    # Imported here: drawing the digits' test set compiles kernels, which other datasets can do without.
    if spec.format == "points":
        arrays: Arrays = import_module("millrace.datasets.points").read_points(spec.name)
    else:
        arrays = import_module("millrace.datasets.digits").read_digits()
    return checked(arrays, spec)


def read_file(spec: DatasetSpec, file: FileSpec, path: Path) -> Pieces:
    """The arrays in one file, its sizes and digests checked; IntegrityError or FormatError otherwise."""
    with open_content(path, file) as content:
        if spec.format == "idx" and file.members:
            content.finish()  # a zip is not read from its beginning on: it is verified first
            return _idx_zip(spec, file, path)
        try:
            pieces = _DECODERS[spec.format](spec, file, content)
        except FormatError:
            # Where a size or a digest says that these are other bytes, that is the better reason.
            content.finish()
            raise
        content.finish()
    return pieces


def assembled(spec: DatasetSpec, files: Sequence[Pieces]) -> Arrays:
    """The arrays of a dataset from those of its files, in the order of `spec.files`; FormatError if they misfit."""
    if spec.format in ("cifar-binary", "svhn"):
        arrays = _JOINED[spec.format](spec, files)
    else:
        parts = {part: array for pieces in files for part, array in pieces.items()}
        arrays = Arrays(**parts) if spec.tested else Arrays.untested(parts["train_images"], parts["train_labels"])
    arrays = checked(arrays, spec)
    if spec.reading.test_share:
        # Compiles kernels, which other datasets can do without.
        arrays = import_module("millrace.datasets.splits").with_test(arrays, spec.reading.test_share)
    return arrays


def _idx(spec: DatasetSpec, file: FileSpec, content: Content) -> Pieces:
    return {file.part: _idx_part(spec, file.part, content)}


def _idx_zip(spec: DatasetSpec, file: FileSpec, path: Path) -> Pieces:
    return {member.part: _idx_part(spec, member.part, content) for member, content in zip_archive.members(path, file)}


def _idx_part(spec: DatasetSpec, part: str, content: Content) -> npt.NDArray[Any]:
    if not part.endswith("images"):
        return _labels(spec, idx.labels_of(idx.read_labels(content), content.what, spec.reading.labels_from))
    array, layout = idx.read_images(content), spec.layout
    if layout == "cwh":
        array, layout = array.swapaxes(-1, -2), "chw"
    return as_images(array, content.what, bounds=spec.reading.bounds, layout=layout)


def _labels(spec: DatasetSpec, labels: FoundLabels) -> Labels:
    # A label without a class must not become another one by being narrowed.
    return labels.narrowed(max(labels.classes, len(spec.classes)))


def _cifar_binary(spec: DatasetSpec, file: FileSpec, content: Content) -> Pieces:
    shape = spec.shape or (3, 32, 32)
    if not file.members:
        return {file.name: cifar_binary.read_records(file.name, content.read_all(), shape, spec.reading.labels)}
    members = archive.members(content, file)
    return {m.name: cifar_binary.read_records(m.name, data, shape, spec.reading.labels) for m, data in members}


def _svhn(spec: DatasetSpec, file: FileSpec, content: Content) -> Pieces:
    data = content.read_all()
    content.finish()  # scipy must get no bytes that were not verified: damaged ones can end the process
    images, labels = svhn.read_mat(data, file.name)
    return {"images": images, "labels": labels}


def _npz(spec: DatasetSpec, file: FileSpec, content: Content) -> Pieces:
    # A zip is read from its end: it is taken into memory as it was sent.
    data = BytesIO()
    while some := content.some():
        data.write(some)
    return vars(npz.read_npz(data, content.count, file.name, spec.layout, spec.reading, len(spec.classes)))


def _joined_records(spec: DatasetSpec, files: Sequence[Pieces]) -> Arrays:
    # In the order of the specification: archives may hold their members in any.
    order = [
        (part.part, pieces[part.name])
        for file, pieces in zip(spec.files, files, strict=True)
        for part in (file.members or (file,))
    ]
    made: list[Any] = []
    for split in SPLIT_PARTS:
        pieces_of = [piece for part, piece in order if part == split]
        images, labels = cifar_binary.join(pieces_of, spec.shape or (3, 32, 32), spec.reading.labels)
        made += [images, _labels(spec, as_labels(labels, f"{spec.name}: labels", spec.reading.labels_from))]
    return Arrays(*made)


def _joined_splits(spec: DatasetSpec, files: Sequence[Pieces]) -> Arrays:
    by_part = {file.part: pieces for file, pieces in zip(spec.files, files, strict=True)}
    return Arrays(*(by_part[split][kind] for split in SPLIT_PARTS for kind in ("images", "labels")))


_JOINED: Mapping[str, Callable[[DatasetSpec, Sequence[Pieces]], Arrays]] = {
    "cifar-binary": _joined_records,
    "svhn": _joined_splits,
}
_DECODERS: Mapping[str, Callable[[DatasetSpec, FileSpec, Content], Pieces]] = {
    "idx": _idx,
    "cifar-binary": _cifar_binary,
    "npz": _npz,
    "svhn": _svhn,
}
