"""Damaged files of every kind: a MillraceError or the rows that are left, and memory bounded; never a crash."""

import tempfile
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.datasets.importers import listed_pictures, parquet_arrow, webdataset
from millrace.datasets.importers.options import Reading
from millrace.errors import MillraceError
from tests.datasets.importers.encoded import NAMES, pictures_table, png, samples, write_arrow, write_parquet, write_tar

LABELS = [0, 1, 2, 0, 1, 2, 0]
VALUES = range(len(LABELS))
MODULES = {
    "a.parquet": parquet_arrow, "names.parquet": parquet_arrow, "a.arrow": parquet_arrow, "file.arrow": parquet_arrow,
    "a.tar": webdataset, "metadata.csv": listed_pictures, "metadata.jsonl": listed_pictures,
}  # fmt: skip
BOUND = 64 << 20  # bytes that Python may take for any of these little files


def _written(write: Callable[[Path], object], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def whole() -> Mapping[str, bytes]:
    """A small sound file of each kind."""
    table = pictures_table(VALUES, LABELS, NAMES)
    named = pictures_table(VALUES, pa.array([NAMES[label] for label in LABELS]).dictionary_encode())
    members = [*samples(dict(zip(VALUES, LABELS, strict=True))), ("x.json", b'{"label": 1}')]
    rows = [(f"{value}.png", label) for value, label in zip(VALUES, LABELS, strict=True)]
    return {
        "a.parquet": _written(lambda path: write_parquet(path, table, row_group_size=3), "a.parquet"),
        "names.parquet": _written(lambda path: write_parquet(path, named), "names.parquet"),
        "a.arrow": _written(lambda path: write_arrow(path, table), "a.arrow"),
        "file.arrow": _written(lambda path: write_arrow(path, named.combine_chunks(), stream=False, rows=9), "f.arrow"),
        "a.tar": _written(lambda path: write_tar(path, members), "a.tar"),
        "metadata.csv": ("file_name,label\n" + "".join(f"{name},{label}\n" for name, label in rows)).encode(),
        "metadata.jsonl": "".join(f'{{"file_name": "{name}", "label": {label}}}\n' for name, label in rows).encode(),
    }


WHOLE = whole()


def read_all(name: str, data: bytes) -> int | None:
    """The rows that can be read of a file with these bytes; None where it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        if name.startswith("metadata"):
            for value in VALUES:
                (path.parent / f"{value}.png").write_bytes(png(value))
        before = sorted(path.parent.rglob("*"))
        try:
            module = MODULES[name]
            found = module.survey(path.parent if module is listed_pictures else path, Reading())
            rows = sum(len(one.read()) > 0 for split in found.inventory.counts for one in found.pictures(split))
        except MillraceError:
            rows = None
        except OSError as error:  # a list may name what is not there, or cannot be a name
            if not name.startswith("metadata") or error.errno is None:
                raise
            rows = None
        assert sorted(path.parent.rglob("*")) == before
    return rows


@pytest.mark.parametrize("name", WHOLE)
def test_sound_files_are_read(name: str) -> None:
    assert read_all(name, WHOLE[name]) == len(LABELS)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes cut off, overwritten in places, or with a part left out or doubled."""
    made = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(made) - 1, 0)))
        count = draw(st.integers(1, 64))
        kind = draw(st.sampled_from(["flip", "byte", "cut", "remove", "double"]))
        if not made:
            break
        if kind == "flip":
            made[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte":
            made[place] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == "cut":
            del made[place:]
        elif kind == "remove":
            del made[place : place + count]
        else:
            made[place:place] = made[place : place + count]
    return bytes(made)


def fuzz(name: str, examples: int) -> int:
    """The most bytes that Python's objects took."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(damaged(WHOLE[name]))
    def run(data: bytes) -> None:
        rows = read_all(name, data)
        assert rows is None or rows <= 2 * len(LABELS)

    before = pa.total_allocated_bytes()
    try:
        run()
        assert pa.total_allocated_bytes() - before < BOUND
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", WHOLE)
def test_damaged_files_are_refused_or_read(name: str) -> None:
    fuzz(name, 4)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", WHOLE)
def test_many_damaged_files_are_refused_or_read(name: str) -> None:
    tracemalloc.start()
    assert fuzz(name, 150) < BOUND
