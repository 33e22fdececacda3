"""Every decoder on small files of its format, and on hypothesis's ideas of such files."""

import io
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from millrace.datasets import svhn
from millrace.datasets.arrays import Arrays
from millrace.datasets.decoders import assembled, read_file
from millrace.datasets.importers.options import Reading
from millrace.datasets.spec import IDX_PARTS, DatasetSpec, FileSpec, MemberSpec
from millrace.errors import FormatError, IntegrityError, UsageError
from tests.datasets.server import Sample, gz, tar
from tests.datasets.specs import CLASSES, cifar_archive, cifar_spec, idx_spec, lay_idx, npz_spec, sha

SAMPLE = Sample()


def decode(spec: DatasetSpec, folder: Path) -> Arrays:
    return assembled(spec, [read_file(spec, file, folder / file.name) for file in spec.files])


def assert_sample(spec: DatasetSpec, folder: Path, sample: Sample = SAMPLE) -> None:
    got = decode(spec, folder)
    for name, array in sample.arrays.items():
        np.testing.assert_array_equal(getattr(got, name), array)


def test_idx(tmp_path: Path) -> None:
    lay_idx(tmp_path, SAMPLE)
    assert_sample(idx_spec(SAMPLE), tmp_path)


def test_npz(tmp_path: Path) -> None:
    (tmp_path / "shapes.npz").write_bytes(SAMPLE.npz())
    assert_sample(npz_spec(SAMPLE.npz()), tmp_path)


def test_cifar_archive_in_the_order_of_the_specification(tmp_path: Path) -> None:
    (tmp_path / "bin.tar.gz").write_bytes(cifar_archive(SAMPLE))
    assert_sample(cifar_spec(SAMPLE), tmp_path)


def test_cifar_in_plain_and_compressed_pieces(tmp_path: Path) -> None:
    sample = Sample(shape=(3, 2, 2))
    records, cut = sample.records("train"), 10 * 13
    pieces = {"one.bin": records[:cut], "two.bin.gz": gz(records[cut:]), "test.bin": sample.records("test")}
    for name, data in pieces.items():
        (tmp_path / name).write_bytes(data)
    files = (FileSpec("one.bin", "train"), FileSpec("test.bin", "test"), FileSpec("two.bin.gz", "train"))
    assert_sample(DatasetSpec("p", "", "cifar-binary", CLASSES, files, shape=(3, 2, 2)), tmp_path, sample)


def test_a_label_without_class_is_refused(tmp_path: Path) -> None:
    sample = Sample(classes=4)
    (tmp_path / "bin.tar.gz").write_bytes(cifar_archive(sample))
    with pytest.raises(FormatError, match="a label has no class"):
        decode(cifar_spec(sample), tmp_path)


def test_digests_are_checked_on_what_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "shapes.npz").write_bytes(Sample(seed=1).npz())
    with pytest.raises(IntegrityError, match="not what it should be"):
        decode(npz_spec(SAMPLE.npz()), tmp_path)


def test_files_are_read_as_the_specification_says(tmp_path: Path) -> None:
    """float pixels, labels from 1, one-hot, big-endian: in each format the same arrays."""
    one = Reading(range="0..1", labels_from=1)
    for split, count in (("train", 24), ("test", 12)):
        images, labels = SAMPLE.arrays[f"{split}_images"], SAMPLE.arrays[f"{split}_labels"]
        head = struct.pack(">4I", 0xD03, count, 5, 4)
        (tmp_path / f"{split}_images").write_bytes(head + (images / 255).astype(">f4").tobytes())
        head = struct.pack(">3I", 0xC02, count, 1)
        (tmp_path / f"{split}_labels").write_bytes(gz(head + (labels + 1).astype(">i4").tobytes()))
    files = tuple(FileSpec(part, part) for part in IDX_PARTS)
    assert_sample(DatasetSpec("f", "", "idx", CLASSES, files, reading=one), tmp_path)

    changed = {name: a / 255 if "images" in name else np.eye(4)[a + 1] for name, a in SAMPLE.arrays.items()}
    (tmp_path / "f.npz").write_bytes(SAMPLE.npz(**changed))
    assert_sample(DatasetSpec("f", "", "npz", CLASSES, (FileSpec("f.npz"),), reading=one), tmp_path)

    sample = Sample(shape=(3, 2, 2))
    for split in ("train", "test"):
        sample.arrays[f"{split}_labels"] += 1
        (tmp_path / split).write_bytes(sample.records(split))
        sample.arrays[f"{split}_labels"] -= 1
    files = (FileSpec("train", "train"), FileSpec("test", "test"))
    from_one = Reading(labels_from=1)
    assert_sample(
        DatasetSpec("p", "", "cifar-binary", CLASSES, files, shape=(3, 2, 2), reading=from_one), tmp_path, sample
    )


@pytest.mark.parametrize(("labels", "column"), [("coarse", 0), ("fine", 1)])
def test_records_with_two_labels(tmp_path: Path, labels: str, column: int) -> None:
    """CIFAR-100's, by hand: coarse label, fine label, pixels."""
    sample = Sample(shape=(3, 2, 2))
    for split in ("train", "test"):
        other = bytes([99])
        records = [
            (bytes([label]) + other if column == 0 else other + bytes([label])) + image.tobytes()
            for label, image in zip(sample.arrays[f"{split}_labels"], sample.arrays[f"{split}_images"], strict=True)
        ]
        (tmp_path / f"{split}.bin").write_bytes(b"".join(records))
    files = (FileSpec("train.bin", "train"), FileSpec("test.bin", "test"))
    reading = Reading(labels=labels)
    assert_sample(
        DatasetSpec("p", "", "cifar-binary", CLASSES, files, shape=(3, 2, 2), reading=reading), tmp_path, sample
    )


def emnist_spec(sample: Sample, data: bytes) -> DatasetSpec:
    members = tuple(MemberSpec(f"gzip/e-{part}.gz", part, len(sample.idx(part))) for part in IDX_PARTS)
    file = FileSpec("gzip.zip", size=len(data), digest=sha(data), members=members)
    reading = Reading(labels_from=1)
    return DatasetSpec("e", "", "idx", CLASSES, (file,), shape=(1, 4, 5), layout="cwh", reading=reading)


def emnist_zip(sample: Sample) -> bytes:
    """As EMNIST's: gzip files in a zip, images transposed, labels from 1."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gzip/", b"")
        archive.writestr("gzip/e-mapping.txt", b"1 65 97")
        for part in reversed(IDX_PARTS):
            archive.writestr(f"gzip/e-{part}.gz", gz(sample.idx(part)))
    return out.getvalue()


def test_idx_in_a_zip_that_lies_transposed_and_counts_from_one(tmp_path: Path) -> None:
    sample = Sample()
    for split in ("train", "test"):
        sample.arrays[f"{split}_labels"] += 1
    data = emnist_zip(sample)
    (tmp_path / "gzip.zip").write_bytes(data)
    got = decode(emnist_spec(sample, data), tmp_path)
    for split in ("train", "test"):
        images, labels = getattr(got, f"{split}_images"), getattr(got, f"{split}_labels")
        np.testing.assert_array_equal(images, sample.arrays[f"{split}_images"].transpose(0, 1, 3, 2))
        np.testing.assert_array_equal(labels, sample.arrays[f"{split}_labels"] - 1)
        assert images.flags.c_contiguous
    (tmp_path / "gzip.zip").write_bytes(data[:-1] + b"x")
    with pytest.raises(IntegrityError, match=r"gzip\.zip is not what it should be"):
        decode(emnist_spec(sample, data), tmp_path)


def test_svhn_as_matlab_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample(shape=(3, 9, 8), classes=10)
    for split in ("train", "test"):
        images = sample.arrays[f"{split}_images"].transpose(2, 3, 1, 0)
        labels = sample.arrays[f"{split}_labels"].copy()
        labels[labels == 0] = 10
        savemat(tmp_path / f"{split}.mat", {"X": images, "y": labels[:, None]}, do_compression=True)
    files = tuple(
        FileSpec(f"{split}.mat", split, digest=sha((tmp_path / f"{split}.mat").read_bytes()))
        for split in ("train", "test")
    )
    spec = DatasetSpec("s", "", "svhn", tuple("0123456789"), files, shape=(3, 9, 8))
    assert_sample(spec, tmp_path, sample)
    # Damaged bytes never reach scipy, which can end the process over them.
    (tmp_path / "test.mat").write_bytes((tmp_path / "test.mat").read_bytes()[:-1])
    monkeypatch.setattr(svhn, "read_mat", None)
    with pytest.raises(IntegrityError, match=r"test\.mat is not what it should be"):
        read_file(spec, files[1], tmp_path / "test.mat")


def test_a_label_too_large_for_its_column_does_not_become_another(tmp_path: Path) -> None:
    labels = SAMPLE.arrays["test_labels"].astype(int)
    labels[3] = 256
    data = SAMPLE.npz(test_labels=labels)
    (tmp_path / "shapes.npz").write_bytes(data)
    with pytest.raises(FormatError, match=r"impossible label|has no class"):
        decode(npz_spec(data), tmp_path)


# Fuzzing: whatever the bytes are, the answer is arrays or one of the two errors.


def damaged(original: bytes) -> st.SearchStrategy[bytes]:
    """The original with bytes overwritten, cut out, doubled or cut off."""
    place = st.integers(0, len(original))

    def cut(a: int, b: int, filling: bytes) -> bytes:
        return original[: min(a, b)] + filling + original[max(a, b) :]

    return st.one_of(
        st.builds(lambda at, new: original[:at] + new + original[at + len(new) :], place, st.binary(max_size=9)),
        st.builds(cut, place, place, st.binary(max_size=30)),
        st.builds(lambda at: original[:at], place),
        st.binary(max_size=600),
    )


def idx_case() -> tuple[DatasetSpec, dict[str, bytes], str]:
    files = tuple(FileSpec(part, part) for part in IDX_PARTS)
    return DatasetSpec("f", "", "idx", CLASSES, files), {part: SAMPLE.idx(part) for part in IDX_PARTS}, "train_images"


def gz_case() -> tuple[DatasetSpec, dict[str, bytes], str]:
    files = tuple(FileSpec(f"{part}.gz", part) for part in IDX_PARTS)
    data = {f"{part}.gz": gz(SAMPLE.idx(part)) for part in IDX_PARTS}
    return DatasetSpec("f", "", "idx", CLASSES, files), data, "test_images.gz"


def npz_case() -> tuple[DatasetSpec, dict[str, bytes], str]:
    return DatasetSpec("f", "", "npz", CLASSES, (FileSpec("f.npz"),)), {"f.npz": SAMPLE.npz()}, "f.npz"


def zip_case() -> tuple[DatasetSpec, dict[str, bytes], str]:
    sample = Sample(classes=2)
    data = emnist_zip(sample)
    spec = emnist_spec(sample, data)
    file = replace(spec.files[0], size=None, digest=None)
    return replace(spec, files=(file,), reading=Reading(), shape=None), {"gzip.zip": data}, "gzip.zip"


def tar_case() -> tuple[DatasetSpec, dict[str, bytes], str]:
    sizes = {split: len(SAMPLE.records(split)) for split in ("train", "test")}
    members = tuple(MemberSpec(split, split, size) for split, size in sizes.items())
    spec = DatasetSpec("f", "", "cifar-binary", CLASSES, (FileSpec("f.tar", members=members),), shape=(1, 5, 4))
    return spec, {"f.tar": tar(*((split, SAMPLE.records(split)) for split in sizes))}, "f.tar"


@pytest.mark.parametrize("case", [idx_case, gz_case, npz_case, tar_case, zip_case])
def test_damaged_files_give_arrays_or_a_clear_error(
    case: Callable[[], tuple[DatasetSpec, dict[str, bytes], str]],
) -> None:
    spec, files, victim = case()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in files.items():
            (folder / file).write_bytes(data)

        @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(damaged(files[victim]))
        def attack(data: bytes) -> None:
            (folder / victim).write_bytes(data)
            try:
                arrays = decode(spec, folder)
            except (FormatError, IntegrityError, UsageError):  # the last: an array with a damaged name is another set
                return
            for _, images, labels in arrays.splits():
                assert images.dtype == labels.dtype == np.uint8
                assert len(images) == len(labels) > 0
                assert labels.max() < len(CLASSES)
                assert images.nbytes <= 4 * max(map(len, files.values()))

        attack()
