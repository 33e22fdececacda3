"""Copies of a table's files: what is torn, wrong, without room or begun twice."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from millrace import datasets
from millrace.datasets import Dataset, DatasetSpec, TableFiles, cached_tables, clear
from millrace.datasets.arrays import Arrays
from millrace.datasets.table import in_memory
from millrace.datasets.table_files import open_tables, write_tables
from millrace.errors import DataError, IntegrityError
from tests.datasets.server import Sample

SAMPLE = Sample(shape=(3, 5, 4), train=200)
SPEC = DatasetSpec("shapes", "", "embedded", ("a", "b", "c"))


@pytest.fixture
def fetched(tmp_path: Path) -> Dataset:
    """The dataset where it was fetched."""
    (tmp_path / "datasets" / "shapes-key").mkdir(parents=True)
    return write_tables(tmp_path / "datasets" / "shapes-key", Arrays(**SAMPLE.arrays), SPEC, {"x.png": "no image"})


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of another machine, which is this process's from now on."""
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "there"))
    return tmp_path / "there"


@dataclass
class Pieces:
    """Pieces of a dataset's files, of 1,000 bytes; `asked` has the place from which each file was asked for. Ends after
    `most` pieces; `turned` names a split of which a bit arrives wrong, `once` or always."""

    dataset: Dataset
    most: int = 1 << 30
    turned: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)

    def files(self) -> TableFiles:
        return TableFiles.written(self.dataset)

    def pieces(self, split: str, first: int) -> Iterator[bytes]:
        self.asked.append((split, first))
        data = bytearray((Path(self.files().folder) / f"{split}.arrow").read_bytes())
        if split == self.turned:
            data[-1] ^= 1
        for at in range(first, len(data), 1000):
            if not self.most:
                raise InterruptedError("killed")
            self.most -= 1
            yield bytes(data[at : at + 1000])


def same(got: Dataset, expected: Dataset) -> None:
    assert got.train.equals(expected.train, check_metadata=True)
    assert got.test.equals(expected.test, check_metadata=True)
    assert (got.digest, got.spec, dict(got.left_out)) == (expected.digest, expected.spec, dict(expected.left_out))


def test_a_copy_is_the_dataset_and_is_made_once(fetched: Dataset, there: Path) -> None:
    source = Pieces(fetched)
    told = TableFiles.of(fetched)
    assert told.dataset.train.num_rows == told.dataset.test.num_rows == 0
    got = told.copied(source)
    same(got, fetched)
    assert got.folder == str(there / "copies" / told.name)
    same(told.copied(source), fetched)
    assert source.asked == [("train", 0), ("test", 0)]
    for split in ("train", "test"):
        path = Path(str(got.folder)) / f"{split}.arrow"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == told.files[split]["sha256"]
    same(told.mapped(), fetched)


def test_a_copy_that_was_killed_goes_on_where_it_ended(fetched: Dataset, there: Path) -> None:
    told = TableFiles.of(fetched)
    with pytest.raises(InterruptedError):
        told.copied(Pieces(fetched, most=3))
    source = Pieces(fetched)
    same(told.copied(source), fetched)
    assert source.asked == [("train", 3000), ("test", 0)]
    assert {path.name for path in (there / "copies" / told.name).iterdir()} == {
        *("train.arrow", "test.arrow", "table.json", "lock")
    }


@pytest.mark.parametrize("torn", [b"x" * 3000, b"x" * 200_000])
def test_what_was_torn_is_brought_anew(fetched: Dataset, there: Path, torn: bytes) -> None:
    told = TableFiles.of(fetched)
    (there / "copies" / told.name).mkdir(parents=True)
    (there / "copies" / told.name / ".train.arrow.copy").write_bytes(torn)
    source = Pieces(fetched)
    same(told.copied(source), fetched)
    assert source.asked[-2:] == [("train", 0), ("test", 0)]


@pytest.mark.parametrize("split", ["train", "test"])
def test_wrong_bytes_get_no_name(fetched: Dataset, there: Path, split: str) -> None:
    told = TableFiles.of(fetched)
    with pytest.raises(IntegrityError, match="did not arrive as it was sent"):
        told.copied(Pieces(fetched, turned=split))
    assert not list(there.rglob(f"*{split}.arrow*"))
    assert not list(there.rglob("table.json"))
    source = Pieces(fetched)
    same(told.copied(source), fetched)
    assert ("train", 0) in source.asked or split == "test"  # what was whole is not brought again


@pytest.mark.parametrize("name", ["train.arrow", "table.json"])
def test_a_damaged_copy_is_made_again(fetched: Dataset, there: Path, name: str) -> None:
    told = TableFiles.of(fetched)
    told.copied(Pieces(fetched))
    path = there / "copies" / told.name / name
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: len(data) // 2])
    source = Pieces(fetched)
    same(told.copied(source), fetched)
    assert source.asked == ([("train", 0)] if name == "train.arrow" else [])


def test_two_at_once_copy_once(fetched: Dataset, there: Path) -> None:
    told, begin = TableFiles.of(fetched), threading.Barrier(4)
    sources = [Pieces(fetched) for _ in range(4)]
    found: list[Dataset] = []

    def copy(source: Pieces) -> None:
        begin.wait(10)
        found.append(told.copied(source))

    threads = [threading.Thread(target=copy, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum(len(source.asked) for source in sources) == 2
    assert len(found) == 4
    for one in found:
        same(one, fetched)


def test_what_this_machine_has_fetched_is_not_copied(
    fetched: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path))
    told, source = TableFiles.of(fetched), Pieces(fetched)
    assert told.copied(source).folder == fetched.folder
    # But not where it holds something else under that name.
    arrays = Arrays(**SAMPLE.arrays)
    write_tables(Path(str(fetched.folder)), replace(arrays, train_images=255 - arrays.train_images), SPEC)
    other = in_memory(arrays, SPEC)
    assert told.copied(Pieces(other)).folder == str(tmp_path / "copies" / told.name)


def test_a_copy_is_cleared_as_other_tables_are(fetched: Dataset, there: Path) -> None:
    told = TableFiles.of(fetched)
    told.copied(Pieces(fetched))
    (found,) = cached_tables("shapes")
    assert (found.folder, found.downloaded) == (there / "copies" / told.name, False)
    assert clear(found) == ""
    assert cached_tables("shapes") == []


def test_tables_in_memory_are_written_where_they_are_asked_for(there: Path) -> None:
    dataset = in_memory(Arrays(**SAMPLE.arrays), SPEC)
    told = TableFiles.of(dataset)
    assert (told.folder, dict(told.files)) == ("", {})
    assert not there.exists()
    written = TableFiles.written(dataset)
    assert Path(written.folder).parent == there / "copies"
    same(written.mapped(), dataset)
    assert TableFiles.written(dataset) == replace(written, dataset=TableFiles.written(dataset).dataset)
    opened = open_tables(Path(written.folder), SPEC)
    assert opened is not None
    np.testing.assert_array_equal(datasets.images(opened.train), SAMPLE.arrays["train_images"])


def test_files_that_are_gone_are_named(fetched: Dataset) -> None:
    told = TableFiles.of(fetched)
    (Path(told.folder) / "train.arrow").unlink()
    with pytest.raises(IntegrityError, match="missing or damaged"):
        told.mapped()


@pytest.mark.parametrize("limit", ["size=20k", "size=500k"])
def test_a_full_disk_is_named_and_freed(fetched: Dataset, there: Path, limit: str) -> None:
    # The first holds less than the table from the start; of the second another process takes the rest meanwhile.
    there.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", limit, "tmpfs", str(there)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted or not sys.platform.startswith("linux"):
        pytest.skip("a small file system of its own needs root and mount")

    class Taken(Pieces):
        def pieces(self, split: str, first: int) -> Iterator[bytes]:
            with open(there / "taken", "wb", buffering=0) as file:
                while file.write(b"x" * 4096) == 4096:
                    if file.tell() > 1 << 20:
                        break
            yield from super().pieces(split, first)

    try:
        source = Pieces(fetched) if limit == "size=20k" else Taken(fetched)
        with pytest.raises(DataError, match=r"the disk of .* is full") as caught:
            TableFiles.of(fetched).copied(source)
        assert "MILLRACE_CACHE" in str(caught.value)
        assert not list(there.rglob("*.copy"))
    finally:
        subprocess.run(["umount", str(there)], check=True)
