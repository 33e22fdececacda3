"""Sources: the rows are those that training sees, whatever the batch."""

import numpy as np
import pytest

from millrace.datasets import Dataset, images, labels, split
from millrace.errors import UsageError
from millrace.pipeline import Stream, images_of, labels_of, parameters_of, samples_of
from millrace.pipeline.export import Source
from millrace.pipeline.export.plan import ExportPlan
from millrace.pipeline.stream import augmented
from tests.pipeline.export.small import POLICY, planned, shapes


def stream(dataset: Dataset, plan: ExportPlan, batch: int, slot: int | None) -> Stream:
    options = plan.options
    ids = split(labels(dataset.train), subset=options.subset, validation=options.validation, seed=options.seed).train
    pixels, marks = images(dataset.train), labels(dataset.train)
    return Stream(pixels, marks, ids, policy=options.policy, seed=options.seed, batch=batch, slot_size=slot)


@pytest.mark.parametrize(("batch", "slot"), [(34, None), (34, 5), (8, 3), (1, None), (33, 33)])
@pytest.mark.parametrize("channels", [1, 3])
def test_rows_are_the_batches_of_training_one_after_the_other(batch: int, slot: int | None, channels: int) -> None:
    dataset = shapes(channels)
    plan = planned(dataset)
    live = stream(dataset, plan, batch, slot)
    steps = range(3 * live.order.steps_per_epoch)
    batches = [live.batch(step, number) for step in steps for number in range(live.order.slots(step))]
    rows = Source(plan, dataset).range("train", 0, 102)
    np.testing.assert_array_equal(rows.images, np.concatenate([images_of(one) for one in batches]))
    np.testing.assert_array_equal(rows.labels, np.concatenate([labels_of(one) for one in batches]))
    np.testing.assert_array_equal(rows.samples, np.concatenate([samples_of(one) for one in batches]))
    np.testing.assert_array_equal(rows.parameters, np.concatenate([parameters_of(one) for one in batches]))
    np.testing.assert_array_equal(rows.epochs, np.repeat([0, 1, 2], 34))


def test_any_range_is_a_part_of_the_whole(dataset: Dataset) -> None:
    source = Source(planned(dataset, originals=True), dataset)
    whole = source.range("train", 0, 102)
    for first, last in ((0, 1), (30, 40), (33, 102), (34, 68), (101, 102)):
        for part, column in zip(source.range("train", first, last), whole, strict=True):
            np.testing.assert_array_equal(part, column[first:last])  # type: ignore[index]


def test_validation_and_test_are_untouched_and_the_test_is_augmented_only_when_asked(dataset: Dataset) -> None:
    plan = planned(dataset)
    source = Source(plan, dataset)
    held, test = source.range("validation", 0, 6), source.range("test", 0, 10)
    chosen = split(labels(dataset.train), validation=6, seed=7).validation
    np.testing.assert_array_equal(held.samples, chosen)
    np.testing.assert_array_equal(held.images, images(dataset.train)[chosen])
    np.testing.assert_array_equal(test.images, images(dataset.test))
    np.testing.assert_array_equal(test.parameters, np.tile(np.array([0, 0, 0, 1, 1, 0, 0], np.float32), (10, 1)))
    asked = Source(planned(dataset, augment_test=True), dataset).range("test", 2, 10)
    pixels, drawn = augmented(images(dataset.test), np.arange(2, 10), POLICY, seed=7, epoch=0, split=2)
    np.testing.assert_array_equal(asked.images, pixels)
    np.testing.assert_array_equal(asked.parameters, drawn)
    train, _ = augmented(images(dataset.test), np.arange(2, 10), POLICY, seed=7, epoch=0)
    assert (asked.images != train).any()


def test_originals_are_the_tables_images(dataset: Dataset) -> None:
    rows = Source(planned(dataset, originals=True), dataset).range("train", 20, 60)
    assert rows.originals is not None
    np.testing.assert_array_equal(rows.originals, images(dataset.train)[rows.samples])
    assert Source(planned(dataset), dataset).range("train", 0, 5).originals is None


def test_another_dataset_is_refused(dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="another dataset"):
        Source(planned(dataset), shapes(3))
