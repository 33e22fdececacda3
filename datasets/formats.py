"""From files on disk to arrays, for every format: the one table of decoders."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from millrace.datasets import archive, cifar_binary, idx, npz
from millrace.datasets.arrays import Arrays, U8Array, checked
from millrace.datasets.content import check_sent, open_content
from millrace.datasets.spec import DatasetSpec, FileSpec

Paths = Mapping[str, Path]


def decode(spec: DatasetSpec, paths: Paths) -> Arrays:
    """The arrays of a dataset from its files (by file name), verified and checked.

    Digests are checked on the very bytes that are decoded. IntegrityError or FormatError otherwise.
    """
    return checked(_DECODERS[spec.format](spec, paths), spec)


def check_file(file: FileSpec, path: Path) -> None:
    """Check sizes and digests of one file's content without keeping it; IntegrityError or FormatError."""
    check_sent(path, file)
    with open_content(path, file) as content:
        if file.members:
            for _ in archive.members(content, file):
                pass
        content.finish(size=file.size)


def _embedded(spec: DatasetSpec, paths: Paths) -> Arrays:
    # Imported here: drawing the test set compiles kernels, which other datasets can do without.
    arrays: Arrays = import_module("millrace.datasets.digits").read_digits()
    return arrays


def _points(spec: DatasetSpec, paths: Paths) -> Arrays:
    arrays: Arrays = import_module("millrace.datasets.points").read_points(spec.name)
    return arrays


def _idx(spec: DatasetSpec, paths: Paths) -> Arrays:
    found: dict[str, U8Array] = {}
    for file in spec.files:
        check_sent(paths[file.name], file)
        with open_content(paths[file.name], file) as content:
            read = idx.read_images if file.part.endswith("images") else idx.read_labels
            found[file.part] = read(content)
            content.finish(size=file.size)
    return Arrays(**found)


def _cifar_binary(spec: DatasetSpec, paths: Paths) -> Arrays:
    shape = spec.shape or (3, 32, 32)
    pieces: dict[str, tuple[U8Array, U8Array]] = {}
    for file in spec.files:
        check_sent(paths[file.name], file)
        with open_content(paths[file.name], file) as content:
            if file.members:
                for member, data in archive.members(content, file):
                    pieces[member.name] = cifar_binary.read_records(member.name, data, shape)
            else:
                data = content.read_all()
                pieces[file.name] = cifar_binary.read_records(file.name, data, shape)
            content.finish(size=file.size)
    # In the order of the specification: archives may hold their members in any.
    order = [(m.name, m.part) for f in spec.files for m in (f.members or (f,))]
    train = cifar_binary.join([pieces[name] for name, part in order if part == "train"])
    test = cifar_binary.join([pieces[name] for name, part in order if part == "test"])
    return Arrays(*train, *test)


def _npz(spec: DatasetSpec, paths: Paths) -> Arrays:
    (file,) = spec.files
    check_file(file, paths[file.name])
    return npz.read_npz(paths[file.name], file.name, spec.layout)


_DECODERS: Mapping[str, Callable[[DatasetSpec, Paths], Arrays]] = {
    "embedded": _embedded,
    "points": _points,
    "idx": _idx,
    "cifar-binary": _cifar_binary,
    "npz": _npz,
}
