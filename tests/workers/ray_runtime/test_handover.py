"""How a table reaches a node: what is decided, and what carriers bring, through the loss of one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from millrace.datasets import Dataset, DatasetSpec, TableFiles
from millrace.datasets.arrays import Arrays
from millrace.datasets.table import in_memory
from millrace.datasets.table_files import write_tables
from millrace.errors import DataError

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]

SPEC = DatasetSpec("carried", "", "embedded", ("a", "b"))


def arrays(rows: int) -> Arrays:
    pixels = (np.arange(rows * 3 * 64 * 64, dtype=np.uint32) * 2_654_435_761 >> 24).astype(np.uint8)
    images, labels = pixels.reshape(rows, 3, 64, 64), np.arange(rows, dtype=np.uint8) % 2
    return Arrays(images, labels, images[:1], labels[:1])


def test_a_fifth_of_an_object_store_stays_free() -> None:
    from millrace.workers.ray_runtime.handover import TableOffer, by_file

    files = TableFiles.of(in_memory(arrays(1), SPEC))
    for store, nbytes, file in ((100, 80, False), (100, 81, True), (0, 1, True), (1 << 40, 700 << 30, False)):
        assert by_file(TableOffer(nbytes, "node", True, files), store) is file
        assert by_file(TableOffer(nbytes, "node", False, files), store) is True  # what is in no store comes from none


def test_another_node_has_time_for_the_table_by_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from millrace.workers.ray_runtime import handover

    files = TableFiles.of(in_memory(arrays(1), SPEC))
    for known, seconds in (
        ({"here": 1 << 40}, 0.0),
        ({"here": 1 << 40, "there": 1 << 40}, 100.0),
        ({"there": 0}, 100.0),
    ):
        monkeypatch.setattr(handover, "stores", lambda known=known: known)
        assert handover.patience(handover.TableOffer(1_000_000_000, "here", True, files)) == seconds


@pytest.fixture
def fetched(tmp_path: Path) -> Dataset:
    return write_tables(tmp_path, arrays(700), SPEC)


@pytest.mark.usefixtures("shared_ray")
def test_a_carrier_that_is_lost_is_replaced(fetched: Dataset, kill: Callable[[str], bool]) -> None:
    from millrace.workers.ray_runtime.carriers import CarrierSource
    from millrace.workers.ray_runtime.handover import this_node

    source = CarrierSource(TableFiles.of(fetched), None, this_node(), (75 << 20, 1 << 40))
    pieces = source.pieces("train", 1000)
    brought = [bytes(next(pieces)) for _ in range(2)]
    assert kill("CarrierActor")
    brought += [bytes(piece) for piece in pieces]
    source.close()
    assert max(map(len, brought)) == (75 << 20) // 64
    assert b"".join(brought) == (Path(str(fetched.folder)) / "train.arrow").read_bytes()[1000:]


@pytest.mark.usefixtures("shared_ray")
def test_a_table_in_memory_is_written_by_the_carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from millrace.workers.ray_runtime.carriers import CarrierSource
    from millrace.workers.ray_runtime.handover import this_node

    dataset = in_memory(arrays(20), SPEC)
    told = TableFiles.of(dataset)
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path))  # of this process; the carrier has the one of its Ray
    source = CarrierSource(told, ray.put(dataset), this_node(), (75 << 20, 75 << 20))
    copy = told.copied(source)
    assert copy.folder == str(tmp_path / "copies" / told.name)
    assert copy.train.equals(dataset.train, check_metadata=True)
    (Path(source.files().folder) / "test.arrow").unlink()
    with pytest.raises(DataError, match=r"test\.arrow cannot be read"):
        list(source.pieces("test", 0))
    source.close()
