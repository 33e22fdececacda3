"""From files on disk to arrays, for every format: the one table of decoders.

Each file is read once: decompressed, digested and decoded in the same pass, so that the digests are those of
the very bytes that were decoded.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from io import BytesIO
from pathlib import Path

from millrace.datasets import archive, cifar_binary, idx, npz
from millrace.datasets.arrays import Arrays, U8Array, checked
from millrace.datasets.content import Content, open_content
from millrace.datasets.spec import DatasetSpec, FileSpec
from millrace.errors import FormatError

Pieces = Mapping[str, U8Array]  # what a file holds: an array for each part, or records for each member


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
    if spec.format == "cifar-binary":
        arrays = _joined_records(spec, files)
    else:
        arrays = Arrays(**{part: array for pieces in files for part, array in pieces.items()})
    return checked(arrays, spec)


def _idx(spec: DatasetSpec, file: FileSpec, content: Content) -> Pieces:
    read = idx.read_images if file.part.endswith("images") else idx.read_labels
    return {file.part: read(content)}


def _cifar_binary(spec: DatasetSpec, file: FileSpec, content: Content) -> Pieces:
    shape = spec.shape or (3, 32, 32)
    if not file.members:
        return {file.name: cifar_binary.read_records(file.name, content.read_all(), shape)}
    members = archive.members(content, file)
    return {member.name: cifar_binary.read_records(member.name, data, shape) for member, data in members}


def _npz(spec: DatasetSpec, file: FileSpec, content: Content) -> Pieces:
    # A zip is read from its end: it is taken into memory as it was sent.
    data = BytesIO()
    while some := content.some():
        data.write(some)
    return vars(npz.read_npz(data, content.count, file.name, spec.layout))


def _joined_records(spec: DatasetSpec, files: Sequence[Pieces]) -> Arrays:
    # In the order of the specification: archives may hold their members in any.
    order = [
        (part.part, pieces[part.name])
        for file, pieces in zip(spec.files, files, strict=True)
        for part in (file.members or (file,))
    ]
    train, test = (
        cifar_binary.join([records for part, records in order if part == split], spec.shape or (3, 32, 32))
        for split in ("train", "test")
    )
    return Arrays(*train, *test)


_DECODERS: Mapping[str, Callable[[DatasetSpec, FileSpec, Content], Pieces]] = {
    "idx": _idx,
    "cifar-binary": _cifar_binary,
    "npz": _npz,
}
