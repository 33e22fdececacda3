"""An export's folder as a stream: the rows that stand there, in their order, over ranks, with state."""

import os
import signal
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import millrace
from millrace import datasets
from millrace.errors import UsageError
from millrace.pipeline import Stream, images_of, samples_of
from tests.pipeline.export.small import POLICY, planned, shapes, written


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "shapes"
    data = shapes()
    written(planned(data), data, path)
    return path


def test_its_steps_are_those_it_was_written_from(folder: Path) -> None:
    data, stream = shapes(), millrace.stream(folder, batch=8)
    rows = datasets.split(datasets.labels(data.train), validation=6, seed=7)
    images, labels = datasets.images(data.train), datasets.labels(data.train)
    source = Stream(images, labels, rows.train, policy=POLICY, seed=7, batch=8, slot_size=8)
    for step in (0, 4, 5, 14):
        expected = source.batch(step, 0)
        assert np.array_equal(samples_of(stream[step]), samples_of(expected))
        assert np.array_equal(images_of(stream[step]), images_of(expected))
        parts = [stream.shard(rank, 3)[step] for rank in range(3)]
        assert pa.Table.from_batches(parts).to_pydict() == stream[step].to_pydict()
    assert (len(stream), stream.mean, stream.std) == (5, (0.5,), (0.25,))
    kept = [(images, images.copy()) for images, _ in stream.numpy(3, dtype="uint8")]
    assert len(kept) == 15
    assert all(images.flags.writeable and np.array_equal(images, then) for images, then in kept)


def test_its_other_splits_stand_as_stored(folder: Path) -> None:
    data = shapes()
    rows = datasets.split(datasets.labels(data.train), validation=6, seed=7)
    held = millrace.stream(str(folder), batch=6, split="validation")
    assert np.array_equal(images_of(held[0]), datasets.images(data.train)[rows.validation])
    test = millrace.stream(str(folder), batch=10, split="test")
    assert np.array_equal(images_of(test[1]), datasets.images(data.test))
    assert test.mean == (0.5,)


def test_a_state_belongs_to_this_export(folder: Path) -> None:
    stream = millrace.stream(folder, batch=8)
    assert stream.at(stream.at(3).state()).step == 3
    with pytest.raises(UsageError, match="another stream"):
        millrace.stream(folder, batch=9).at(stream.state())


def test_what_an_export_cannot_do(folder: Path) -> None:
    for options in ({"policy": "digits"}, {"subset": 10}, {"validation": 3}):
        with pytest.raises(UsageError, match="augmented and chosen already"):
            millrace.stream(folder, batch=8, **options)
    with pytest.raises(UsageError, match="too few epochs"):
        millrace.stream(folder, batch=8)[15]
    with pytest.raises(UsageError, match="too few epochs"):
        millrace.stream(folder, batch=8).arrow(epochs=4)  # at once, not when the fourth epoch begins
    with pytest.raises(UsageError, match="drawn with a seed of their own"):
        millrace.stream(folder, batch=8, seed=5)
    assert millrace.stream(folder, batch=8, seed=7).state() == millrace.stream(folder, batch=8).state()


@pytest.mark.parametrize("format", ["npz", "webdataset", "imagefolder", "arrow"])
def test_a_batch_that_is_written_to_changes_nothing_else(format: str, tmp_path: Path) -> None:
    """Decoded shards are kept: what their rows are handed out as must be a copy."""
    data = shapes()
    written(planned(data, format=format), data, tmp_path)
    stream = millrace.stream(tmp_path, batch=8, threads=0)
    kept = stream[0]
    for rank in range(8):  # shares of one row too
        names = ["image", "sample", "label", "weight", "dx", "flip"]
        for array in next(iter(stream.shard(rank, 8).numpy(columns=names, dtype="uint8"))):
            array[:] = 0
    assert stream[0].equals(kept)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_a_thread_decodes_a_shard_decodes_it_itself(folder: Path) -> None:
    stream = millrace.stream(folder, batch=8, threads=0)
    reader = stream._source.dataset.reader  # type: ignore[attr-defined]
    reader._kept["train/0"] = Future()  # as a thread leaves it that has begun
    reader._lock.acquire()
    child = os.fork()
    if child == 0:
        os._exit(0 if stream[0].num_rows == 8 else 1)
    until = time.monotonic() + 20
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.02)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)
