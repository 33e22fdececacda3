"""Datasets without a test split: one is drawn, or there is none, and whatever measures on it says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import millrace
from millrace import datasets
from millrace.commands.main import main
from millrace.datasets.splits import rows_to_test
from millrace.errors import UsageError
from millrace.workers.events import Event, Notice

SMALL: dict[str, Any] = {"network": {"hidden": [8]}, "epochs": 1, "batch": 10}
LABELS = np.arange(60) % 3 * (np.arange(60) >= 12)  # unequal classes: 28, 16, 16


def described(home: Path, key: str) -> str:
    images = (np.arange(60 * 30).reshape(60, 6, 5) * 7 % 251).astype(np.uint8)
    np.savez(home / "a.npz", train_images=images, train_labels=LABELS)
    path = home / f"{key.partition(':')[0]}.yaml"
    path.write_text(f"name: a\nformat: npz\nclasses: [x, y, z]\n{key}\nfiles:\n  - name: a.npz\n")
    return str(path)


def test_a_share_of_each_class_is_set_apart_by_a_dataset_file(home: Path) -> None:
    dataset = datasets.load(datasets.find(described(home, "test_share: 0.25")))
    apart = rows_to_test(LABELS, 0.25)
    assert np.bincount(LABELS[apart]).tolist() == [7, 4, 4]
    left = np.setdiff1d(np.arange(60), apart)
    assert datasets.labels(dataset.test).tolist() == LABELS[apart].tolist()
    assert datasets.labels(dataset.train).tolist() == LABELS[left].tolist()
    other = datasets.load(datasets.find(described(home, "test: none")))
    assert (other.train.num_rows, other.test.num_rows) == (60, 0)
    assert other.digest != dataset.digest
    again = datasets.load(datasets.find(described(home, "test: none")))  # from the cache
    assert again.digest == other.digest
    assert datasets.images(again.test).shape == (0, 1, 6, 5)


@pytest.mark.parametrize(
    ("key", "match"),
    [
        ("test: some", "test says something else"),
        ("test_share: 1.0", "test_share"),
        ("test: none\ntest_share: 0.1", "test: none with a test share"),
    ],
)
def test_what_says_nothing_clear_is_refused(home: Path, key: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        datasets.find(described(home, key))


def test_files_with_a_test_split_must_have_one_where_none_is_drawn(home: Path) -> None:
    with pytest.raises(millrace.MillraceError, match="test_images"):
        datasets.load(datasets.find(described(home, "title: a")))


def test_no_test_split_is_streamed(home: Path) -> None:
    data = described(home, "test: none")
    assert len(millrace.stream(data, batch=10)) == 6
    with pytest.raises(UsageError, match="a has no test split"):
        millrace.stream(data, split="test")
    with pytest.raises(UsageError, match="a has no validation split"):
        millrace.stream(data, split="validation")


@pytest.mark.slow
def test_a_run_without_a_test_split_from_training_to_its_report(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, events = described(home, "test: none"), list[Event]()
    run = millrace.train(data, out="run", validation=6, observer=events.append, **SMALL)
    assert [e.text for e in events if isinstance(e, Notice)] == ["a has no test images: nothing was measured on them"]
    assert run.result is not None
    assert run.result["test_accuracy"] is None
    assert "validation accuracy" in (run.path / "report.html").read_text()
    assert main(["evaluate", "run"]) == 2
    assert "a has no test images to evaluate on" in capsys.readouterr().err
    exported = millrace.export(data, "out", validation=6)
    assert exported.manifest is not None
    assert set(exported.manifest.splits) == {"train", "validation"}
    assert main(["verify", "out"]) == 0
    again = millrace.train("out", out="again", **SMALL)
    assert [line["ledger"] for line in again.epochs] == [line["ledger"] for line in run.epochs]
    with pytest.raises(UsageError, match="no test split to augment") as refused:
        millrace.export(data, "other", augment_test=True)
    assert refused.value.do == "leave out `augment_test`"
    assert main(["preview", "--dataset", data, "--out", "a.png"]) == 0
