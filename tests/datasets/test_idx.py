import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from millrace.datasets.content import open_content
from millrace.datasets.idx import read_images, read_labels
from millrace.datasets.spec import FileSpec
from millrace.errors import FormatError

# Two images of 2x3 pixels and three labels, written by hand from the format's description.
IMAGES = bytes.fromhex("00000803 00000002 00000002 00000003 000102030405 fffefdfcfbfa")
LABELS = bytes.fromhex("00000801 00000003 070001")


def images(tmp_path: Path, data: bytes) -> npt.NDArray[np.uint8]:
    (tmp_path / "a").write_bytes(data)
    with open_content(tmp_path / "a", FileSpec("a")) as content:
        return read_images(content)


def labels(tmp_path: Path, data: bytes) -> npt.NDArray[np.uint8]:
    (tmp_path / "a").write_bytes(data)
    with open_content(tmp_path / "a", FileSpec("a")) as content:
        return read_labels(content)


def test_images_by_hand(tmp_path: Path) -> None:
    got = images(tmp_path, IMAGES)
    assert got.dtype == np.uint8
    assert got.tolist() == [[[[0, 1, 2], [3, 4, 5]]], [[[255, 254, 253], [252, 251, 250]]]]


def test_labels_by_hand(tmp_path: Path) -> None:
    assert labels(tmp_path, LABELS).tolist() == [7, 0, 1]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (IMAGES + b"\0", "trailing bytes"),
        (IMAGES[:-1], "ends too early"),
        (IMAGES[:9], "ends too early"),
        (b"", "ends too early"),
        (LABELS, "wrong magic"),
        (b"\0\0\x0d\x03" + IMAGES[4:], "wrong magic"),
        (b"\x03\x08\0\0" + IMAGES[4:], "wrong magic"),
        (struct.pack(">IIII", 0x803, 1, 0, 3), "impossible image size"),
        (struct.pack(">IIII", 0x803, 1, 3, 1 << 31), "impossible image size"),
        (struct.pack(">IIII", 0x803, 0xFFFFFFFF, 28, 28), "impossible header"),
        (struct.pack(">IIII", 0x803, 1 << 20, 32, 32) + b"x", "ends too early"),
    ],
)
def test_faulty_images_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        images(tmp_path, data)


@pytest.mark.parametrize(("data", "match"), [(LABELS + b"\0", "trailing"), (LABELS[:-1], "early"), (IMAGES, "magic")])
def test_faulty_labels_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        labels(tmp_path, data)
