"""Manifests: there and back, and refused where they do not add up."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.datasets.exported import Manifest, Record, SplitSize
from millrace.errors import FormatError

CONFIGURATION = {"format": "npz", "epochs": 2, "seed": 0}
DATASET = {"name": "shapes\n☃", "classes": ["a", "b"], "shape": [1, 6, 5], "digest": "0" * 64}
TRAIN = tuple(
    Record("train", first, rows, f"data/{first}", 0, 10, "a" * 64, "b" * 64) for first, rows in ((0, 4), (4, 2))
)
SPLITS = {"train": SplitSize(6, 3, 2)}
GOOD = Manifest("0.1.0", "c" * 64, CONFIGURATION, DATASET, SPLITS, TRAIN)


def test_there_and_back() -> None:
    back = Manifest.from_json(GOOD.to_json(), "it")
    assert back == GOOD
    assert back.to_json() == GOOD.to_json()
    assert (back.format, back.classes, back.shape) == ("npz", ("a", "b"), (1, 6, 5))
    empty = dataclasses.replace(GOOD, splits={}, shards=())
    assert Manifest.from_json(empty.to_json(), "it") == empty


def test_the_digest_covers_key_and_content() -> None:
    others = [
        dataclasses.replace(GOOD, key="d" * 64),
        *(
            dataclasses.replace(GOOD, shards=(dataclasses.replace(TRAIN[0], **change), TRAIN[1]))
            for change in ({"sha256": "e" * 64}, {"pixels": "e" * 64}, {"first": 1}, {"rows": 3})
        ),
    ]
    assert len({GOOD.digest, *(other.digest for other in others)}) == 6


@pytest.mark.parametrize(
    "shards",
    [
        TRAIN[:1],
        TRAIN[1:],
        (TRAIN[0], TRAIN[0], TRAIN[1]),
        TRAIN[::-1],
        (*TRAIN, dataclasses.replace(TRAIN[0], split="other")),
        (dataclasses.replace(TRAIN[0], rows=0), *TRAIN),
        (dataclasses.replace(TRAIN[0], offset=-1), TRAIN[1]),
    ],
)
def test_shards_must_cover_every_row_once(shards: tuple[Record, ...]) -> None:
    with pytest.raises(FormatError):
        Manifest.from_json(dataclasses.replace(GOOD, shards=shards).to_json(), "it")


def test_another_version_is_told() -> None:
    document = json.loads(GOOD.to_json())
    with pytest.raises(FormatError, match="another version"):
        Manifest.from_json(json.dumps({**document, "millrace_export": 2}).encode(), "it")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(json.loads(GOOD.to_json()))), JSON)
def test_any_other_value_is_a_format_error_or_means_the_same(field: str, value: Any) -> None:
    document = {**json.loads(GOOD.to_json()), field: value}
    try:
        found = Manifest.from_json(json.dumps(document).encode(), "it")
    except FormatError:
        return
    assert found.shards == GOOD.shards


@given(st.binary(max_size=80))
def test_bytes_that_are_no_manifest(data: bytes) -> None:
    with pytest.raises(FormatError):
        Manifest.from_json(data, "it")


@pytest.mark.parametrize(
    ("said", "shape", "classes", "prepare"),
    [
        ({"prepare": "photos"}, (1, 28, 28), "0123456789", "photos"),
        ({}, (1, 28, 28), "0123456789", "digits"),
        ({}, (3, 32, 32), "0123456789", "photos"),
        ({}, (1, 28, 28), "01", "photos"),
        ({}, (2, 1, 1), "01", "points"),
    ],
)
def test_an_earlier_manifest_does_not_say_how_pictures_are_prepared(
    said: dict[str, str], shape: tuple[int, int, int], classes: str, prepare: str
) -> None:
    dataset = {**said, "shape": list(shape), "classes": list(classes)}
    assert dataclasses.replace(GOOD, dataset=dataset).prepare == prepare
