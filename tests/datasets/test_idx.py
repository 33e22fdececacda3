import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from millrace.datasets.content import open_content
from millrace.datasets.idx import labels_of, read_images, read_labels
from millrace.datasets.spec import FileSpec
from millrace.errors import FormatError

# Two images of 2x3 pixels and three labels, written by hand from the format's description.
IMAGES = bytes.fromhex("00000803 00000002 00000002 00000003 000102030405 fffefdfcfbfa")
LABELS = bytes.fromhex("00000801 00000003 070001")


def images(tmp_path: Path, data: bytes) -> npt.NDArray[Any]:
    (tmp_path / "a").write_bytes(data)
    with open_content(tmp_path / "a", FileSpec("a")) as content:
        return read_images(content)


def labels(tmp_path: Path, data: bytes) -> npt.NDArray[Any]:
    (tmp_path / "a").write_bytes(data)
    with open_content(tmp_path / "a", FileSpec("a")) as content:
        return read_labels(content)


def test_images_by_hand(tmp_path: Path) -> None:
    got = images(tmp_path, IMAGES)
    assert got.dtype == np.uint8
    assert got.tolist() == [[[0, 1, 2], [3, 4, 5]], [[255, 254, 253], [252, 251, 250]]]


def test_labels_by_hand(tmp_path: Path) -> None:
    assert labels(tmp_path, LABELS).tolist() == [7, 0, 1]


@pytest.mark.parametrize(
    ("code", "form", "dtype"),
    [(8, "B", "u1"), (9, "b", "i1"), (0x0B, "h", "i2"), (0x0C, "i", "i4"), (0x0D, "f", "f4"), (0x0E, "d", "f8")],
)
def test_every_type_code_in_one_to_four_dimensions(tmp_path: Path, code: int, form: str, dtype: str) -> None:
    values = struct.pack(f">16{form}", *range(16))
    for shape in ((16,), (16, 1), (2, 4, 2), (2, 2, 2, 2)):
        data = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + values
        got = (labels if len(shape) < 3 else images)(tmp_path, data)
        assert got.dtype.newbyteorder("=") == np.dtype(dtype)
        np.testing.assert_array_equal(got, np.arange(16).reshape(shape))


def test_the_class_is_the_first_of_the_columns_of_qmnist(tmp_path: Path) -> None:
    # Two rows as QMNIST has them: class, partition, writer, …; its file is big-endian int.
    rows = [[5, 0, 2577, 1, 39, 0, 0, 0], [0, 1, 3600, 10, 7, 1, 1, 0]]
    got = labels(tmp_path, struct.pack(">3I16i", 0xC02, 2, 8, *rows[0], *rows[1]))
    assert labels_of(got, "y").values.tolist() == [5, 0]
    one_hot = labels(tmp_path, struct.pack(">3I16i", 0xC02, 2, 8, *[0] * 5, 1, *[0] * 9, 1))
    assert (labels_of(one_hot, "y").values.tolist(), labels_of(one_hot, "y").classes) == ([5, 7], 8)
    assert labels_of(np.array([[1], [0]]), "y").values.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (IMAGES + b"\0", "trailing bytes"),
        (IMAGES[:-1], "ends too early"),
        (IMAGES[:9], "ends too early"),
        (b"", "ends too early"),
        (LABELS, r"holds labels, and should be images[\s\S]*swapped\?"),
        (b"\0\0\x0a\x03" + IMAGES[4:], "wrong magic"),
        (b"\0\0\x08\x00" + IMAGES[4:], "wrong magic"),
        (b"\0\0\x08\x05" + IMAGES[4:], "wrong magic"),
        (b"\x03\x08\0\0" + IMAGES[4:], "wrong magic"),
        (b"\0\0\x0d\x03" + IMAGES[4:], "ends too early"),
        (struct.pack(">IIII", 0x803, 0xFFFFFFFF, 28, 28), "impossible header"),
        (struct.pack(">IIII", 0x803, 0, 0xFFFFFFFF, 0xFFFFFFFF), "impossible header"),
        (struct.pack(">5I", 0xE04, *[0xFFFFFFFF] * 4), "impossible header"),
        (struct.pack(">IIII", 0x803, 1 << 20, 32, 32) + b"x", "ends too early"),
    ],
)
def test_faulty_images_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        images(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "match"),
    [(LABELS + b"\0", "trailing"), (LABELS[:-1], "early"), (IMAGES, "holds images, and should be labels")],
)
def test_faulty_labels_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        labels(tmp_path, data)
