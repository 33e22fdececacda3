"""Two sha256 in one pass, against hashlib."""

import hashlib

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.export import sha256
from pipeline.export.sha256 import AVAILABLE, BLOCK, digests, twins


def noise(size: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.frombuffer(hashlib.shake_128(bytes([seed])).digest(size), np.uint8)


def known(*parts: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


@pytest.mark.skipif(not AVAILABLE, reason="no sha instructions")
@pytest.mark.parametrize("before", [0, 1, 65])  # blocks
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 784, 12345])
def test_both_are_those_of_hashlib(before: int, size: int) -> None:
    first, shared = noise(before * BLOCK), noise(size, 1)
    for rest in (0, 1, 55, 56, 63, 64, 1000):
        after = noise(rest, 2)
        found = twins(first.tobytes(), shared, after.tobytes())
        assert found == (known(first, shared, after), known(shared)), rest


@pytest.mark.parametrize("before", [64, 63])
def test_pixels_anywhere_in_a_file(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(3 * 28 * 28).reshape(3, 1, 28, 28)
    parts = [noise(before, 1), pixels.reshape(-1), noise(9, 2)]
    expected = known(*parts), known(pixels)
    assert digests(parts, pixels) == expected
    assert digests([parts[0], pixels.reshape(-1).copy(), parts[2]], pixels) == expected
    assert digests([parts[0], parts[2]], pixels) == (known(parts[0], parts[2]), expected[1])
    monkeypatch.setattr(sha256, "AVAILABLE", False)
    assert digests(parts, pixels) == expected
