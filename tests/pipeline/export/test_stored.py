"""Training on an export: the batches are those of the live stream, in every format."""

import pickle
from typing import Any

import numpy as np
import pytest

from millrace import datasets
from millrace.datasets import Dataset, images, labels, split
from millrace.datasets.exported import open_export
from millrace.errors import DataError, FormatError, UsageError
from millrace.formats import FORMATS
from millrace.pipeline import Stream, metadata_of
from millrace.pipeline.export import StoredStream
from tests.pipeline.export.small import POLICY


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("batch", "slot"), [(8, 3), (34, 20), (20, None)])
def test_batches_are_those_of_the_live_stream(
    name: str, batch: int, slot: int | None, export: Any, dataset: Dataset
) -> None:
    folder, _ = export(name)
    opened = open_export(datasets.find(str(folder)))
    stored = StoredStream(opened, batch=batch, slot_size=slot)
    ids = split(labels(dataset.train), validation=6, seed=7).train
    live = Stream(images(dataset.train), labels(dataset.train), ids, policy=POLICY, seed=7, batch=batch, slot_size=slot)
    for step in range(3 * live.order.steps_per_epoch):
        for number in range(live.order.slots(step)):
            one, other = live.batch(step, number), stored.batch(step, number)
            assert one.equals(other)
            np.testing.assert_array_equal(live.samples(step, number), stored.samples(step, number))
            expected, found = metadata_of(one), metadata_of(other)
            assert {**expected, "dataset": ""} == {**found, "dataset": ""}
    with pytest.raises(UsageError, match="too few epochs"):
        stored.batch(3 * live.order.steps_per_epoch, 0)


def test_an_opened_export_is_a_dataset(export: Any, dataset: Dataset) -> None:
    folder, manifest = export("parquet")
    spec = datasets.find(str(folder))
    opened = datasets.load(spec)
    assert isinstance(opened, type(open_export(spec)))
    assert opened.digest == manifest.digest
    assert (opened.classes, opened.shape, spec.policy) == (dataset.classes, dataset.shape, "none")
    assert opened.test.equals(dataset.test)
    held = split(labels(dataset.train), validation=6, seed=7).validation
    np.testing.assert_array_equal(images(opened.train)[34:], images(dataset.train)[held])
    assert opened.statistics == ((0.5,), (0.25,))
    assert datasets.is_cached(spec)


def test_an_opened_export_goes_to_other_processes(export: Any) -> None:
    folder, _ = export("arrow")
    opened = open_export(datasets.find(str(folder)))
    copy = pickle.loads(pickle.dumps(opened))  # noqa: S301  (our own bytes)
    one, other = StoredStream(opened, batch=8).batch(7, 1), StoredStream(copy, batch=8).batch(7, 1)
    assert one.equals(other)


def test_what_is_damaged_is_not_trained_on(export: Any) -> None:
    folder, manifest = export("parquet")
    opened = open_export(datasets.find(str(folder)))
    victim = folder / manifest.shards[5].file
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    stored = StoredStream(opened, batch=34, slot_size=34)
    stored.batch(0, 0)
    with pytest.raises(DataError, match="train-00005-of-00007"):
        stored.batch(2, 0)


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path: Any) -> None:
    with pytest.raises(FormatError, match="not understood as a dataset"):
        datasets.find(str(tmp_path))
    with pytest.raises(UsageError, match="unknown filesystem 'htp'"):
        datasets.find("htp://somewhere/x")
