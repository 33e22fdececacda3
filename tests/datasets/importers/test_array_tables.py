import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millrace import datasets
from millrace.datasets import Reading, pixel_arrays
from millrace.datasets.importers import array_tables, npy_files, npz_file
from millrace.datasets.importers.array_survey import ArraySurvey
from millrace.datasets.splits import with_test
from millrace.errors import FormatError
from tests.datasets.server import Sample

SAMPLE = Sample(shape=(3, 9, 8), train=30, test=12)
IMAGES, LABELS = SAMPLE.arrays["train_images"], SAMPLE.arrays["train_labels"]
OTHER, OTHER_LABELS = SAMPLE.arrays["test_images"], SAMPLE.arrays["test_labels"]


def filled(folder: Path, survey: ArraySurvey) -> Any:
    spec = datasets.DatasetSpec("a", "", "path", survey.inventory.classes)
    return array_tables.filled(survey, spec, folder)


@pytest.mark.parametrize("piece", [1, 300, 1 << 22])
@pytest.mark.parametrize("kind", ["alone", "with validation", "with all"])
def test_in_pieces_it_is_what_it_is_in_memory(
    tmp_path: Path, kind: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_arrays, "PIECE", piece)
    arrays = {"x_train": IMAGES.transpose(0, 2, 3, 1) / 255, "y_train": LABELS}
    if kind != "alone":
        arrays |= {"x_val": OTHER / 255, "y_val": OTHER_LABELS}
    if kind == "with all":
        arrays |= {"x_test": OTHER[:5] / 255, "y_test": OTHER_LABELS[:5]}
    np.savez(tmp_path / "a.npz", **arrays)
    survey = npz_file.survey(tmp_path / "a.npz", Reading(range="0..1"))
    expected = survey.arrays() if kind != "alone" else with_test(survey.arrays())
    got = filled(tmp_path, survey)
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    assert len(got.train_images) == {"alone": 24, "with validation": 30, "with all": 42}[kind]


@pytest.mark.slow
def test_a_file_is_read_and_a_table_written_without_memory_for_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_arrays, "PIECE", 1 << 15)
    np.save(tmp_path / "images.npy", np.full((1200, 3, 32, 32), 0.5, np.float32))
    np.save(tmp_path / "labels.npy", np.arange(1200) % 3)
    spec = datasets.find(str(tmp_path), Reading(range="0..1"))
    datasets.load(datasets.find("points"))  # what is compiled and imported on the way counts for nothing
    tracemalloc.start()
    try:
        table = datasets.load(spec)
        assert tracemalloc.get_traced_memory()[1] < 3 << 20  # of 14 MB that are read and 3.5 MB that are written
    finally:
        tracemalloc.stop()
    assert (datasets.images(table.train) == 128).all()
    assert (table.train.num_rows, table.test.num_rows) == (960, 240)


def test_what_is_refused_in_the_last_file_leaves_no_file(tmp_path: Path) -> None:
    for name, array in (("x_train", IMAGES), ("y_train", LABELS), ("y_test", OTHER_LABELS)):
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "x_test.npy", OTHER / 255)
    survey = npy_files.survey(tmp_path, Reading())
    (tmp_path / "made").mkdir()
    with pytest.raises(FormatError, match=r"x_test\.npy: float64 pixels need a range"):
        filled(tmp_path / "made", survey)
    assert not list((tmp_path / "made").iterdir())
