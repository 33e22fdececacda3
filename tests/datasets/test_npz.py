import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millrace.datasets.importers.options import Reading
from millrace.datasets.npz import read_npz
from millrace.errors import FormatError
from tests.datasets.server import Sample

SAMPLE = Sample()


def read(tmp_path: Path, data: bytes, layout: str = "chw") -> Any:
    (tmp_path / "a.npz").write_bytes(data)
    with open(tmp_path / "a.npz", "rb") as file:
        return read_npz(file, (tmp_path / "a.npz").stat().st_size, "a.npz", layout, Reading())


def changed(name: str, raw: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """The sample's npz with the raw bytes of one member replaced."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(SAMPLE.npz())) as source,
        zipfile.ZipFile(out, "w", compression) as target,
    ):
        for member in source.namelist():
            target.writestr(member, raw if member == f"{name}.npy" else source.read(member))
    return out.getvalue()


def npy(array: Any, **more: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), **more)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["chw", "hwc", "hw", "fortran", "compressed", "Keras", "int64 labels", "extra array"])
def test_every_way_of_writing_gives_the_same_arrays(tmp_path: Path, kind: str) -> None:
    sample, arrays, layout = Sample(shape=(2, 5, 4)), {}, "chw"
    if kind == "hw":
        sample = Sample(shape=(1, 5, 4))
        arrays = {f"{split}_images": sample.arrays[f"{split}_images"][:, 0] for split in ("train", "test")}
    if kind == "hwc":
        layout = "hwc"
        arrays = {
            f"{split}_images": sample.arrays[f"{split}_images"].transpose(0, 2, 3, 1) for split in ("train", "test")
        }
    if kind == "fortran":
        arrays = {"train_images": np.asfortranarray(sample.arrays["train_images"])}
    if kind == "int64 labels":
        arrays = {"test_labels": sample.arrays["test_labels"].astype(">i8")}
    if kind == "extra array":
        arrays = {"notes": np.array([1.5])}
    data = sample.npz(**arrays)
    if kind == "compressed":
        out = io.BytesIO()
        np.savez_compressed(out, **sample.arrays)
        data = out.getvalue()
    if kind == "Keras":
        out = io.BytesIO()
        names = {"images": "x", "labels": "y"}
        np.savez(out, **{f"{names[n.split('_')[1]]}_{n.split('_')[0]}": array for n, array in sample.arrays.items()})
        data = out.getvalue()
    got = read(tmp_path, data, layout)
    for name, array in sample.arrays.items():
        assert getattr(got, name).dtype == np.uint8
        assert getattr(got, name).flags.c_contiguous
        np.testing.assert_array_equal(getattr(got, name), array)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"train_images": np.zeros((24, 5, 4), np.float32)}, "float32 pixels need a range"),
        ({"train_images": np.zeros((24, 5, 4), np.uint16)}, "uint16 pixels need a range"),
        ({"train_images": np.zeros((24, 20), np.uint8)}, "not a stack of images"),
        ({"train_images": np.zeros((24, 0, 4), np.uint8)}, "not a stack of images"),
        ({"test_labels": np.full(12, -1)}, "impossible label"),
        ({"test_labels": np.full(12, 65_536)}, "impossible label"),
        ({"test_labels": np.zeros((12, 2), np.uint8)}, "not one-hot"),
        ({"test_labels": np.full(12, 0.5)}, "not whole"),
        ({"test_labels": np.zeros(0, np.uint8)}, "not a list of labels"),
        ({"test_labels": np.zeros(12, "datetime64[s]")}, "not an array of numbers"),
        ({"test_labels": np.array(3, np.uint8)}, "not a list of labels"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    with pytest.raises(FormatError, match=match):
        read(tmp_path, SAMPLE.npz(**change))


class Trap:
    """Would leave a trace if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("trapped", "w"))


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    raw = npy(np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match=r"not an array of numbers[\s\S]*never read"):
        read(tmp_path, changed("train_labels", raw))
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (b"", "not a .npy array"),
        (b"\x93NUMPY\x03\x00", "not a .npy array"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "not a .npy array"),
        (b"\x93NUMPY\x01\x00\x0c\x00__import__()", "not a .npy array"),
        (npy(np.zeros(24, np.uint8))[:-1], "promises more|wrong length"),
        (npy(np.zeros(24, np.uint8)) + b"x", "wrong length"),
        (npy(np.zeros(24, np.uint8)).replace(b"(24,)", b"(1<<9"), "not a .npy array"),
        (npy(np.zeros(24, np.uint8)).replace(b"(24,), }  ", b"(-24,), } "), "not an array of numbers"),
        (npy(np.zeros(24, np.uint8)).replace(b"(24,), }         ", b"(99999999999,), }"), "promises more"),
    ],
)
def test_damaged_members_are_refused(tmp_path: Path, raw: bytes, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        read(tmp_path, changed("train_labels", raw))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "not a readable npz"),
        (b"PK\x03\x04 and so on", "not a readable npz"),
        (SAMPLE.npz()[:-30], "not a readable npz"),
        (SAMPLE.npz().replace(b"train_labels", b"train_labelz"), "must hold the array train_labels once"),
        (changed("", b"", zipfile.ZIP_LZMA), "compressed in a way"),
        (changed("", b"", zipfile.ZIP_BZIP2), "compressed in a way"),
    ],
)
def test_damaged_zips_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        read(tmp_path, data)


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    data = SAMPLE.npz().replace(b"notes", b"notes")
    out = io.BytesIO(data)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(out, "a") as archive:
        archive.writestr("test_labels.npy", npy(np.zeros(12, np.uint8)))
    with pytest.raises(FormatError, match="must hold the array test_labels once"):
        read(tmp_path, out.getvalue())


def test_a_zip_bomb_is_refused_unread(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("train_labels", "test_images", "test_labels"):
            archive.writestr(f"{name}.npy", npy(SAMPLE.arrays[name]))
        with archive.open("train_images.npy", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="larger than it may be"):
            read(tmp_path, out.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
