import io
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from millrace.datasets.svhn import read_mat
from millrace.errors import FormatError


def mat(**arrays: Any) -> bytes:
    out: Any = io.BytesIO()
    savemat(out, arrays)
    return bytes(out.getvalue())


def test_axes_and_labels_by_hand() -> None:
    images = np.zeros((2, 3, 3, 2), np.uint8)
    images[1, 2, 0, 1] = 7  # row 1, column 2, red, of the second image
    got, labels = read_mat(mat(X=images, y=np.array([[10], [3]], np.uint8), other=1), "a.mat")
    assert got.shape == (2, 3, 2, 3)
    assert got[1, 0, 1, 2] == 7
    assert got.sum() == 7
    assert labels.tolist() == [0, 3]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "not a MATLAB 5 file"),
        (b"MATLAB 7.3 MAT-file" + bytes(600), "not a MATLAB 5 file"),
        (mat(X=np.zeros((2, 2, 3, 2), np.uint8)), "does not hold SVHN's"),
        (mat(X=np.zeros((2, 2, 3, 2), np.uint8), y=np.ones((3, 1), np.uint8)), "does not hold SVHN's"),
        (mat(X=np.zeros((2, 2, 3, 2)), y=np.ones((2, 1), np.uint8)), "does not hold SVHN's"),
        (mat(X="text", y={"a": 1}), "does not hold SVHN's"),
        (mat(X=np.zeros((2, 2, 3, 2), np.uint8), y=np.array([[0], [1]], np.uint8)), "impossible label"),
        (mat(X=np.zeros((2, 2, 3, 2), np.uint8), y=np.array([[1], [11]], np.uint8)), "impossible label"),
    ],
)
def test_other_files_are_refused(data: bytes, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        read_mat(data, "a.mat")
