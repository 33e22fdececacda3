"""Writers: a shard is a pure function of plan, dataset and index, in any process."""

import hashlib
import multiprocessing
import pickle
from pathlib import Path

import pytest

from millrace.datasets import Dataset
from millrace.pipeline.export import Done, ExportSession, ShardWriter
from millrace.storage.folder import Folder
from millrace.workers.export_local import LocalExecutor, in_threads
from tests.pipeline.export.small import contents, planned, written


def in_another_process(data: bytes, index: int) -> Done:
    return pickle.loads(data).shard(index)  # type: ignore[no-any-return]  # noqa: S301  (our own bytes)


@pytest.mark.slow
def test_other_processes_write_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, format="webdataset")
    written(plan, dataset, tmp_path / "here")
    folder = Folder(str(tmp_path / "there"))
    data = pickle.dumps(ShardWriter(plan, dataset, folder))
    with ExportSession.open(plan, folder), multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap_async(in_another_process, [(data, index) for index in range(len(plan.shards))]).get(60)
    assert all(done.made for done in found)
    manifest = written(plan, dataset, tmp_path / "there")
    assert manifest is not None
    assert list(manifest.shards) == [done.record for done in found]
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_the_record_says_what_lies_there(dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, originals=True)
    writer = ShardWriter(plan, dataset, Folder(str(tmp_path)))
    done = writer.shard(1)
    record, rows = done.record, writer.source.rows(plan.shards[1])
    data = (tmp_path / record.file).read_bytes()
    assert (record.split, record.first, record.rows, record.offset) == ("train", 16, 16, 0)
    assert (record.bytes, record.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert record.pixels == hashlib.sha256(rows.images.tobytes()).hexdigest()
    assert rows.originals is not None
    assert record.originals == hashlib.sha256(rows.originals.tobytes()).hexdigest()
    assert writer.shard(1) == Done(1, record, False)


def test_sizes_are_estimated_without_writing(dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, shard_rows=64)
    found = ShardWriter(plan, dataset, Folder(str(tmp_path / "a"))).estimate()
    assert list(found) == ["train", "validation", "test"]
    assert list(tmp_path.iterdir()) == []
    manifest = written(plan, dataset, tmp_path / "a")
    assert manifest is not None
    sizes = {split: sum(record.bytes for record in manifest.of(split)) for split in found}
    assert found["test"] == sizes["test"]


def test_after_an_error_what_is_begun_is_finished_and_nothing_more(dataset: Dataset, tmp_path: Path) -> None:
    begun: list[int] = []

    def work(index: int) -> int:
        begun.append(index)
        if index == 3:
            raise ValueError("three")
        return index

    with pytest.raises(ValueError, match="three"):
        list(in_threads(work, range(100), 2, lambda: False))
    assert 3 in begun
    assert len(begun) < 8
    writer = ShardWriter(planned(dataset), dataset, Folder(str(tmp_path)))
    assert list(LocalExecutor(writer, 0).run(range(9), lambda: True)) == []
