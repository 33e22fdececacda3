"""Files of one's own through the library: the example folder, the same pictures in every kind of file, our exports."""

import csv
import hashlib
import importlib.util
import shutil
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import millrace
from millrace import datasets
from millrace.datasets import Dataset
from millrace.datasets.importers import Reading
from millrace.errors import FormatError, UsageError
from tests.datasets.importers.encoded import write_arrow, write_parquet, write_tar

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "folder"
SIZE = Reading(size=(12, 12))
CLASSES = ("lime", "oak", "willow")


def script() -> ModuleType:
    """examples/draw_folder.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("draw_folder", ROOT / "examples" / "draw_folder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_folder_is_what_its_script_draws() -> None:
    files = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
    assert sum((FOLDER / name).stat().st_size for name in files) < 300_000
    draw = script()
    assert files == sorted(name for name, _, _ in draw.names())
    for name, kind, number in draw.names():
        if number in (24, 59):
            with Image.open(FOLDER / name) as kept:
                apart = np.abs(np.asarray(kept, np.int16) - np.asarray(draw.leaf(kind, number), np.int16))
            assert apart.max() == 0 if name.endswith(".png") else apart.mean() < 6


@pytest.mark.slow
def test_the_example_folder_is_learnt(home: Path) -> None:
    run = millrace.train(FOLDER, out=home / "run", network={"hidden": [64]})
    assert run.result is not None
    assert run.result["test_accuracy"] > 0.75  # three classes; 94 % were seen with the network of the default
    assert (run.path / "report.html").is_file()


def rows(dataset: Dataset) -> Counter[tuple[int, str]]:
    """How often each label and picture occurs, in both splits together."""
    found: Counter[tuple[int, str]] = Counter()
    for table in (dataset.train, dataset.test):
        for image, label in zip(datasets.images(table), datasets.labels(table).tolist(), strict=True):
            found[label, hashlib.sha256(image.tobytes()).hexdigest()] += 1
    return found


@pytest.fixture
def leaves(home: Path) -> Path:
    """A few of the leaves: a folder for each class."""
    for name in CLASSES:
        (home / "leaves" / name).mkdir(parents=True)
        for number in range(5):
            found = next((FOLDER / name).glob(f"{number:02d}.*"))
            shutil.copy(found, home / "leaves" / name / f"{name}-{found.name}")
    return home / "leaves"


def test_the_same_pictures_in_every_kind_of_file_are_the_same_rows(leaves: Path, home: Path) -> None:
    files = sorted(leaves.glob("*/*"))
    names = [path.parent.name for path in files]
    pictures = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
    table = pa.table({"image": pictures, "label": pa.array(names).dictionary_encode()})
    for number in range(3):
        write_parquet(home / "p" / f"train-{number:05d}-of-00003.parquet", table.slice(5 * number, 5))
    write_arrow(home / "a.arrow", table)
    write_tar(home / "t" / "train-000000.tar", [
        member for path in files
        for member in ((path.name, path.read_bytes()), (f"{path.stem}.cls", path.parent.name.encode()))
    ])  # fmt: skip
    (home / "m").mkdir()
    with (home / "m" / "metadata.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows([("file_name", "species"), *((path.name, path.parent.name) for path in files)])
    for path in files:
        shutil.copy(path, home / "m")
    expected = datasets.load(datasets.find(str(leaves), SIZE))
    assert (expected.train.num_rows, expected.test.num_rows, expected.spec.classes) == (12, 3, CLASSES)
    for name in ("p", "a.arrow", "t/train-000000.tar", "t/train-{000000..000000}.tar", "m"):
        spec = datasets.find(f"{home}/{name}", SIZE)
        assert rows(datasets.load(spec)) == rows(expected), name
        assert datasets.is_cached(spec)
    assert millrace.stream(home / "p", batch=4, size=(12, 12))[0].num_rows == 4


def test_a_changed_file_is_another_dataset(leaves: Path, home: Path) -> None:
    files = sorted(leaves.glob("*/*"))
    path = home / "a.tar"
    write_tar(path, [(f"{n}.{e}", d) for n, file in enumerate(files)
                     for e, d in (("jpg", file.read_bytes()), ("cls", b"%d" % (n % 3)))])  # fmt: skip
    before = datasets.find(str(path), SIZE)
    assert not datasets.is_cached(before)
    write_tar(path, [(f"{n}.{e}", d) for n, file in enumerate(files)
                     for e, d in (("jpg", file.read_bytes()), ("cls", b"%d" % (n % 2)))])  # fmt: skip
    after = datasets.find(str(path), SIZE)
    assert datasets.dataset_folder(before) != datasets.dataset_folder(after)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["parquet", "arrow", "huggingface", "webdataset", "imagefolder", "npz"])
def test_our_exports_are_exports_and_read_as_pictures_without_their_manifest(name: str, home: Path) -> None:
    data = np.arange(12 * 64, dtype=np.uint8).reshape(12, 1, 8, 8)
    labels = np.arange(12) % 3
    (home / "small").mkdir()
    arrays: dict[str, Any] = {"train_images": data, "train_labels": labels, "test_images": data, "test_labels": labels}
    np.savez(home / "small" / "small.npz", **arrays)
    millrace.export(home / "small" / "small.npz", home / "out", format=name, epochs=1, policy="none")
    assert datasets.find(str(home / "out")).format == "export"
    (home / "out" / "manifest.json").unlink()
    if name in ("parquet", "arrow", "npz"):
        with pytest.raises((FormatError, UsageError)):
            datasets.load(datasets.find(str(home / "out")))
        return
    reading = Reading(labels="class" if name == "imagefolder" else "")
    found = datasets.load(datasets.find(str(home / "out"), reading))
    assert rows(found) == Counter(dict.fromkeys(rows(found), 2))
    assert sorted(found.spec.classes) == ["0", "1", "2"]
    assert np.array_equal(np.sort(datasets.images(found.test), axis=0), np.sort(data, axis=0))
