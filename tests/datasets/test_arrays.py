import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest

from millrace.datasets.arrays import Arrays, checked, content_digest
from millrace.datasets.spec import DatasetSpec, FileSpec
from millrace.errors import FormatError
from tests.datasets.server import Sample

SPEC = DatasetSpec("x", "", "npz", ("a", "b", "c"), (FileSpec("x.npz"),))
ARRAYS = Arrays(**Sample().arrays)


def test_arrays_that_fit_pass() -> None:
    assert checked(ARRAYS, SPEC) is ARRAYS
    assert checked(ARRAYS, dataclasses.replace(SPEC, shape=(1, 5, 4))) is ARRAYS


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"train_labels": ARRAYS.train_labels[1:]}, "split train: images and labels do not fit"),
        ({"test_labels": ARRAYS.test_labels[:0], "test_images": ARRAYS.test_images[:0]}, "split test: images and"),
        ({"test_labels": np.arange(12, dtype=np.uint8)}, "a label has no class"),
        ({"test_images": ARRAYS.test_images[..., 1:]}, "differ in shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changed: dict[str, Any], match: str) -> None:
    with pytest.raises(FormatError, match=match):
        checked(dataclasses.replace(ARRAYS, **changed), SPEC)


def test_a_stated_shape_is_held_to() -> None:
    with pytest.raises(FormatError, match="wrong shape"):
        checked(ARRAYS, dataclasses.replace(SPEC, shape=(3, 5, 4)))


def test_the_digest_is_that_of_the_written_out_content() -> None:
    total = hashlib.sha256(b'[["a","b","c"],[[24,1,5,4],[12,1,5,4]]]\n')
    for split in ("train", "test"):
        total.update(getattr(ARRAYS, f"{split}_images").tobytes() + getattr(ARRAYS, f"{split}_labels").tobytes())
    assert content_digest(ARRAYS, ("a", "b", "c")) == total.hexdigest()


def test_the_digest_sees_every_change() -> None:
    image = ARRAYS.test_images.copy()
    image[-1, 0, -1, -1] ^= 1
    label = ARRAYS.train_labels.copy()
    label[0] ^= 1
    variants = [
        (ARRAYS, ("a", "b", "c")),
        (ARRAYS, ("a", "c", "b")),
        (dataclasses.replace(ARRAYS, test_images=image), ("a", "b", "c")),
        (dataclasses.replace(ARRAYS, train_labels=label), ("a", "b", "c")),
        (dataclasses.replace(ARRAYS, train_images=ARRAYS.train_images.reshape(24, 1, 4, 5)), ("a", "b", "c")),
    ]
    assert len({content_digest(arrays, classes) for arrays, classes in variants}) == len(variants)
