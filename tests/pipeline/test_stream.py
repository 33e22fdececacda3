"""The stream: a pure function of (step, slot), whoever asks, in whatever order; and the bits it promises forever."""

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from millrace.counters import words
from millrace.errors import UsageError
from millrace.pipeline import (
    PRESETS,
    Policy,
    Stream,
    images_of,
    labels_of,
    metadata_of,
    parameters_of,
    preset,
    samples_of,
)
from millrace.pipeline.draw import compose, draw
from millrace.pipeline.reference import warp
from millrace.pipeline.visited import U8Array

WILD = Policy("wild", translate=0.3, rotate=180, scale=(0.3, 3.0), shear=0.7, flip=0.4)


def pictures(count: int, channels: int, height: int, width: int) -> U8Array:
    """Smooth shapes and a little noise, made of whole numbers alone, so that they are the same everywhere."""
    n, c, y, x = np.indices((count, channels, height, width))
    far = (2 * x - width + n % 5) ** 2 * 90 // width**2 + (2 * y - height - n % 3) ** 2 * 90 // height**2
    grain = words(1, 9, np.arange(far.size)).ravel()[: far.size].reshape(far.shape) >> 28
    shaded: U8Array = np.clip(255 - far * (2 + c) + grain.astype(np.int64) * (1 + n % 4), 0, 255).astype(np.uint8)
    return shaded


def stream(policy: Policy = WILD, **changed: Any) -> Stream:
    images = pictures(50, 2, 6, 5)
    options: dict[str, Any] = {"seed": 3, "batch": 16, "slot_size": 5, "digest": "abc", **changed}
    return Stream(images, np.arange(50, dtype=np.uint8), policy=policy, **options)


def everything(one: Stream, steps: int) -> dict[tuple[int, int], pa.RecordBatch]:
    return {(step, slot): one.batch(step, slot) for step in range(steps) for slot in range(one.order.slots(step))}


def test_a_batch_is_drawn_as_the_contract_says() -> None:
    one = stream()
    for (step, slot), batch in everything(one, 2 * one.order.steps_per_epoch).items():
        epoch, ids = step // 4, one.ids[one.order.places(step, slot)]
        assert samples_of(batch).tolist() == ids.tolist() == one.samples(step, slot).tolist()
        assert labels_of(batch).tolist() == ids.tolist()
        drawn = draw(WILD, ids, height=6, width=5, seed=3, epoch=epoch)
        assert np.array_equal(parameters_of(batch), drawn.parameters)
        assert np.array_equal(images_of(batch), warp(one.images, ids, drawn.matrices))
        expected = {"dataset": "abc", "policy": WILD.as_dict(), "seed": 3, "epoch": epoch, "step": step, "slot": slot}
        assert metadata_of(batch) == expected


def test_order_and_threads_do_not_matter() -> None:
    expected = everything(stream(), 9)
    keys = list(expected) * 2
    random.Random(0).shuffle(keys)
    shared = stream()
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda key: shared.batch(*key), keys))
    assert all(batch.equals(expected[key], check_metadata=True) for key, batch in zip(keys, got, strict=True))


def test_slots_and_batches_do_not_change_a_sample() -> None:
    """What a sample looks like in an epoch depends on nothing but the sample, the epoch and the seed."""
    one, two = stream(batch=50, slot_size=50), stream(batch=7, slot_size=3)
    whole = one.batch(1, 0)
    parts = [two.batch(step, slot) for step in range(8, 16) for slot in range(two.order.slots(step))]
    assert np.array_equal(np.concatenate([samples_of(part) for part in parts]), samples_of(whole))
    assert np.array_equal(np.concatenate([images_of(part) for part in parts]), images_of(whole))
    assert np.array_equal(np.concatenate([parameters_of(part) for part in parts]), parameters_of(whole))
    rows = two.rows(1, 10, 20)
    assert np.array_equal(rows.pixels, images_of(whole)[10:20])
    assert rows.samples.tolist() == samples_of(whole)[10:20].tolist() == rows.labels.tolist()
    assert np.array_equal(rows.parameters, parameters_of(whole)[10:20])


def test_ids_choose_rows_and_keep_their_draws() -> None:
    ids = np.array([4, 8, 15, 16, 23, 42])
    batch = stream(ids=ids, batch=6, slot_size=6).batch(0, 0)
    assert sorted(samples_of(batch).tolist()) == ids.tolist()
    alone = draw(WILD, samples_of(batch), height=6, width=5, seed=3, epoch=0)
    assert np.array_equal(parameters_of(batch), alone.parameters)
    other = stream(ids=ids.astype(np.int32), batch=6, slot_size=6).batch(0, 0)
    assert other.equals(batch)


def test_without_augmentation_pixels_are_the_originals() -> None:
    one = stream(preset("none"))
    for batch in everything(one, 5).values():
        assert np.array_equal(images_of(batch), one.images[samples_of(batch)])
        assert set(map(tuple, parameters_of(batch).tolist())) == {(0, 0, 0, 1, 1, 0, 0)}
    # As they would be through the warp.
    again = parameters_of(one.batch(0, 0))
    assert np.array_equal(compose(again, height=6, width=5)[0], [1, 0, 0, 0, 1, 0])


def test_the_images_are_not_written_to() -> None:
    one = stream()
    before = one.images.copy()
    one.images.flags.writeable = False
    everything(one, 4)
    assert np.array_equal(one.images, before)


def test_seeds_and_epochs_differ() -> None:
    one = stream(batch=50, slot_size=50)
    assert not np.array_equal(images_of(one.batch(0, 0)), images_of(one.batch(1, 0)))
    assert not one.batch(0, 0).equals(stream(batch=50, slot_size=50, seed=4).batch(0, 0))


def test_slot_bytes_are_those_of_a_full_slot() -> None:
    assert stream().slot_bytes == stream().batch(0, 0).nbytes


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"batch": 51}, "batch does not fit"),
        ({"slot_size": 17}, "slot size"),
        ({"ids": np.array([0, 50])}, "outside"),
        ({"ids": np.array([-1, 3])}, "outside"),
        ({"ids": np.array([0.0, 1.0])}, "rows"),
        ({"ids": np.empty(0, np.int64)}, "nothing to train on"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        stream(**{"batch": 2, "slot_size": 2, **changed})


@pytest.mark.parametrize("labels", [np.zeros(49, np.uint8), np.zeros((50, 1), np.uint8)])
def test_labels_that_do_not_fit_are_refused(labels: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError, match="labels do not fit"):
        Stream(pictures(50, 1, 4, 4), labels, policy=WILD, seed=0, batch=2)


@pytest.mark.parametrize(("step", "slot"), [(-1, 0), (0, 4), (3, 1)])
def test_a_slot_that_is_not_there_is_refused(step: int, slot: int) -> None:
    with pytest.raises(UsageError, match="no such slot"):
        stream().batch(step, slot)


SHAPES = {"grey": (1, 28, 28), "colour": (3, 32, 32), "odd": (2, 5, 9)}

# sha256 over ids, parameters and pixels of two epochs. The promise is that these never change, on any machine, in any
# version: whoever changes them changes every run that was ever recorded.
PROMISED = {
    ("grey", "none"): "0ed73c30277a367bed5362d385fa4820",
    ("grey", "digits"): "6b18e2fdb7f3c6064ae6847aaefbce58",
    ("grey", "photos"): "1701d0a62fbf496835c3c5e041b14bd6",
    ("grey", "wild"): "207a2ec4c36641dc9423f23bfb41d736",
    ("colour", "none"): "58e5ceb369e6b642f45e63f43f89bbda",
    ("colour", "digits"): "28145a0daabe95099ee4a0d7cf2bbace",
    ("colour", "photos"): "4b212d13df674d1451531df459d036b2",
    ("colour", "wild"): "2e45f09f682a8e98db9ac40c51c194e7",
    ("odd", "none"): "5cb792e4c241316531c9769f37e9c4b9",
    ("odd", "digits"): "76d131d5d8facd9305c7bd7d164a893f",
    ("odd", "photos"): "804f77e0c0cb53583a7743fd881d6cb2",
    ("odd", "wild"): "237cc4885cdee35a68c9aa27c350607c",
}


@pytest.mark.parametrize("policy", [*PRESETS, "wild"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bits_are_those_of_every_machine(shape: str, policy: str) -> None:
    images = pictures(40, *SHAPES[shape])
    one = Stream(images, np.zeros(40, np.uint8), policy=PRESETS.get(policy, WILD), seed=2026, batch=16, slot_size=7)
    total = hashlib.sha256()
    for batch in everything(one, 2 * one.order.steps_per_epoch).values():
        total.update(samples_of(batch).astype("<i8").tobytes())
        total.update(parameters_of(batch).astype("<f4").tobytes())
        total.update(images_of(batch).tobytes())
    assert total.hexdigest()[:32] == PROMISED[shape, policy]
