"""Explanations: a row is made again from seed and id, and is the same."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from millrace.datasets import Dataset, images
from millrace.datasets.exported import Reader
from millrace.errors import IntegrityError, UsageError
from millrace.formats.rows import PARAMETERS
from millrace.pipeline.draw import compose
from millrace.pipeline.export import explain_row
from millrace.pipeline.reference import warp_one
from millrace.pipeline.visited import PARAMETER_NAMES
from millrace.storage.folder import Folder
from tests.pipeline.export.small import shapes


def test_the_parameters_have_the_pipelines_names() -> None:
    assert PARAMETERS == PARAMETER_NAMES


@pytest.mark.parametrize("name", ["parquet", "imagefolder"])
@pytest.mark.parametrize("row", [0, 33, 34, 101])
def test_a_training_row(name: str, row: int, export: Any, dataset: Dataset) -> None:
    folder, manifest = export(name)
    reader = Reader(Folder(str(folder)), manifest)
    found = explain_row(reader, dataset, "train", row)
    assert found.differs == ()
    assert (found.epoch, found.position) == divmod(row, 34)
    np.testing.assert_array_equal(found.original, images(dataset.train)[found.sample])
    drawn = np.array([[found.parameters[name] for name in PARAMETER_NAMES]], np.float32)
    by_hand = warp_one(found.original, compose(drawn, height=6, width=5)[0])
    np.testing.assert_array_equal(found.stored, by_hand)


def test_untouched_and_augmented_splits(export: Any, dataset: Dataset) -> None:
    folder, manifest = export("parquet", augment_test=True)
    reader = Reader(Folder(str(folder)), manifest)
    held = explain_row(reader, dataset, "validation", 2)
    np.testing.assert_array_equal(held.stored, held.original)
    assert held.differs == explain_row(reader, dataset, "test", 3).differs == ()


def test_a_row_that_is_not_what_the_seed_gives(export: Any, dataset: Dataset) -> None:
    folder, manifest = export("parquet")
    other = dataclasses.replace(manifest, configuration={**manifest.configuration, "seed": 8})
    assert "images" in explain_row(Reader(Folder(str(folder)), other), dataset, "train", 5).differs
    with pytest.raises(IntegrityError, match="not the one that was exported"):
        explain_row(Reader(Folder(str(folder)), manifest), shapes(3), "train", 5)
    with pytest.raises(UsageError, match="no such rows"):
        explain_row(Reader(Folder(str(folder)), manifest), dataset, "train", 102)
