"""Every decoder on small files of its format, and on hypothesis's ideas of such files."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.datasets.arrays import Arrays
from millrace.datasets.decoders import assembled, read_file
from millrace.datasets.spec import IDX_PARTS, DatasetSpec, FileSpec, MemberSpec
from millrace.errors import FormatError, IntegrityError
from tests.datasets.server import Sample, gz, tar
from tests.datasets.specs import CLASSES, cifar_archive, cifar_spec, idx_spec, lay_idx, npz_spec

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


def tar_case() -> tuple[DatasetSpec, dict[str, bytes], str]:
    sizes = {split: len(SAMPLE.records(split)) for split in ("train", "test")}
    members = tuple(MemberSpec(split, split, size) for split, size in sizes.items())
    spec = DatasetSpec("f", "", "cifar-binary", CLASSES, (FileSpec("f.tar", members=members),), shape=(1, 5, 4))
    return spec, {"f.tar": tar(*((split, SAMPLE.records(split)) for split in sizes))}, "f.tar"


@pytest.mark.parametrize("case", [idx_case, gz_case, npz_case, tar_case])
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
            except (FormatError, IntegrityError):
                return
            for _, images, labels in arrays.splits():
                assert images.dtype == labels.dtype == np.uint8
                assert len(images) == len(labels) > 0
                assert labels.max() < len(CLASSES)
                assert images.nbytes <= 4 * max(map(len, files.values()))

        attack()
