from pathlib import Path

import numpy as np
import pytest

from millrace.datasets import digits
from millrace.datasets.arrays import content_digest
from millrace.datasets.catalogue import find
from millrace.errors import DataError, IntegrityError

# Of classes, shapes, labels and pixels: changes if a pixel or the choice of the test rows does.
DIGEST = "74a4d51cdc11e9c7f22c27b5811fc27b98fa1390d22991e9ad14516aadea64dd"


def test_pixels_are_scaled_half_to_even() -> None:
    expected = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert digits.scaled(np.arange(17, dtype=np.uint8)).tolist() == expected
    assert expected == [round(v * 255 / 16) for v in range(17)]


def test_the_rows_are_those_of_scikit_learn() -> None:
    arrays = digits.read_digits()
    # Read in NumPy's way, with scikit-learn's own bundled file in hand.
    rows = np.loadtxt(digits._bundled(), np.uint8, delimiter=",")
    known = {(digits.scaled(row[:64]).tobytes(), int(row[64])) for row in rows}
    found = [
        (image.tobytes(), int(label))
        for _, images, labels in arrays.splits()
        for image, label in zip(images, labels, strict=True)
    ]
    assert len(found) == 1797
    assert set(found) == known
    assert arrays.train_images.shape == (1437, 1, 8, 8)


def test_the_test_set_is_balanced_and_constant() -> None:
    arrays = digits.read_digits()
    assert np.bincount(arrays.test_labels).tolist() == [36] * 10
    assert content_digest(arrays, find("digits").classes) == DIGEST


def test_a_changed_or_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "CONTENT_SHA256", "0" * 64)
    with pytest.raises(IntegrityError, match="bundled digits"):
        digits.read_digits()
    monkeypatch.setattr(digits, "_bundled", lambda: tmp_path / "none.gz")
    with pytest.raises(DataError, match="cannot be read"):
        digits.read_digits()
