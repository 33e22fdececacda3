import numpy as np
import pytest

from millrace.datasets.cifar_binary import join, read_records
from millrace.errors import FormatError

# Two records of 1 + 2*1*2 bytes.
RECORDS = bytes([7, 10, 11, 12, 13, 0, 20, 21, 22, 23])


def test_records_by_hand() -> None:
    images, labels = join([read_records("x", RECORDS, (2, 1, 2))], (2, 1, 2))
    assert labels.tolist() == [7, 0]
    assert images.tolist() == [[[[10, 11]], [[12, 13]]], [[[20, 21]], [[22, 23]]]]


def test_pieces_are_joined_in_order() -> None:
    piece = read_records("x", RECORDS, (2, 1, 2))
    other = read_records("x", RECORDS[5:], (2, 1, 2))
    images, labels = join([other, piece], (2, 1, 2))
    assert labels.tolist() == [0, 7, 0]
    assert images[:, 0, 0, 0].tolist() == [20, 10, 20]
    assert images.flags.c_contiguous
    assert images.dtype == labels.dtype == np.uint8


@pytest.mark.parametrize("data", [b"", RECORDS[:-1], RECORDS + b"x"])
def test_broken_records_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="whole records"):
        read_records("x", data, (2, 1, 2))
