"""Specifications for the small samples."""

import hashlib
from pathlib import Path

from millrace.datasets.spec import IDX_PARTS, DatasetSpec, FileSpec, MemberSpec
from tests.datasets.server import Sample, Server, gz, tar, whole

CLASSES = ("circle", "square", "star")


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def one_file(data: bytes, *, name: str = "shapes.npz", pinned: bool = True, urls: tuple[str, ...] = ()) -> FileSpec:
    return FileSpec(name, size=len(data), digest=sha(data) if pinned else None, urls=urls)


def npz_spec(data: bytes, *, pinned: bool = True, urls: tuple[str, ...] = ()) -> DatasetSpec:
    return DatasetSpec("shapes", "Shapes", "npz", CLASSES, (one_file(data, pinned=pinned, urls=urls),), shape=(1, 5, 4))


def idx_spec(sample: Sample) -> DatasetSpec:
    files = tuple(FileSpec(f"{part}.gz", part, len(sample.idx(part)), sha(sample.idx(part))) for part in IDX_PARTS)
    return DatasetSpec("little", "Little", "idx", CLASSES, files, shape=sample.shape)


def serve_idx(server: Server, sample: Sample, folder: str = "/little") -> None:
    for part in IDX_PARTS:
        server.put(f"{folder}/{part}.gz", whole(gz(sample.idx(part))))


def lay_idx(folder: Path, sample: Sample) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in IDX_PARTS:
        (folder / f"{part}.gz").write_bytes(gz(sample.idx(part)))


def cifar_spec(sample: Sample, *, pinned: bool = True) -> DatasetSpec:
    members = tuple(
        MemberSpec(f"bin/{split}.bin", split, len(data), sha(data) if pinned else None)
        for split, data in ((split, sample.records(split)) for split in ("train", "test"))
    )
    files = (FileSpec("bin.tar.gz", members=members),)
    return DatasetSpec("pieces", "Pieces", "cifar-binary", CLASSES, files, shape=sample.shape)


def cifar_archive(sample: Sample) -> bytes:
    return gz(tar(*((f"bin/{split}.bin", sample.records(split)) for split in ("test", "train"))))
