"""The embedded dataset: 1,797 real handwritten digits of 8x8 pixels, as scikit-learn bundles them.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository (the test part of it). The bundled file is read as it lies; scikit-learn is not imported.

Pixels v of 0 to 16 become round(v * 255 / 16), halves to even, in whole numbers: 0, 16, 32, 48, 64, …
The test set is 36 rows of every class, 360 in all, drawn once with the constant key
(seed 0, Purpose.DIGITS_TEST), so it is the same for every seed of a run; the other 1,437 rows train.
Rows keep the order of the file.
"""

import gzip
import hashlib
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from millrace.counters import Purpose
from millrace.datasets.arrays import Arrays, U8Array
from millrace.datasets.splits import balanced
from millrace.errors import DataError, IntegrityError
from millrace.extras import missing_extra

ROWS, TEST_ROWS, SIDE, DEEPEST = 1797, 360, 8, 16
CONSTANT_SEED = 0
CONTENT_BYTES = 264_712
CONTENT_SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"


def read_digits() -> Arrays:
    """Training (1437) and test (360) arrays; needs no cache and no network."""
    rows = np.array(_content().replace(b"\n", b",").rstrip(b",").split(b","), np.uint8).reshape(ROWS, -1)
    images = scaled(rows[:, :-1]).reshape(ROWS, 1, SIDE, SIDE)
    labels = np.ascontiguousarray(rows[:, -1])
    test = balanced(labels, TEST_ROWS, seed=CONSTANT_SEED, purpose=Purpose.DIGITS_TEST)
    train = np.setdiff1d(np.arange(ROWS), test)
    return Arrays(images[train], labels[train], images[test], labels[test])


def scaled(pixels: U8Array) -> U8Array:
    """Pixels of 0 to 16 as 0 to 255: v * 255 / 16 rounded half to even, in whole numbers."""
    product = pixels.astype(np.int32) * 255
    quotient, remainder = product // DEEPEST, product % DEEPEST
    half = DEEPEST // 2
    up = (remainder > half) | ((remainder == half) & (quotient % 2 == 1))
    rounded: U8Array = (quotient + up).astype(np.uint8)
    return rounded


def _content() -> bytes:
    try:
        with gzip.open(_bundled()) as file:
            content = file.read(CONTENT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("the bundled digits cannot be read", got=str(error), do="install scikit-learn again") from None
    found = hashlib.sha256(content).hexdigest()
    if found != CONTENT_SHA256:
        raise IntegrityError(
            "the bundled digits are not what they should be",
            expected=f"sha256:{CONTENT_SHA256}",
            got=f"sha256:{found}",
            do="install the scikit-learn of requirements/run.txt",
        )
    return content


def _bundled() -> Path:
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise missing_extra("sklearn")
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
