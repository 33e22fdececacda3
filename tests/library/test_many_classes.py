"""300 classes through the whole house: arrays, training, every export, evaluation, answers, and what people look at."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import millrace
from millrace import datasets
from millrace.commands.main import main
from millrace.formats import FORMATS
from millrace.runs import read_lines

CLASSES, EACH = 300, 3
SMALL: dict[str, Any] = {"network": {"hidden": [8]}, "epochs": 1, "batch": 64, "seed": 3}


@pytest.fixture
def described(home: Path) -> Path:
    """The dataset file of an npz with 300 classes, of which the last has its pixels brightest."""
    labels = np.tile(np.arange(CLASSES), EACH)
    images = (np.arange(len(labels) * 36).reshape(-1, 1, 6, 6) * 7 % 251).astype(np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = labels % 256, labels // 256 * 255
    test = {"test_images": images[:450], "test_labels": labels[:450]}
    np.savez(home / "many.npz", train_images=images, train_labels=labels.astype(np.int32), **test)  # type: ignore[arg-type]
    names = "\n".join(f"  - class {number}" for number in range(CLASSES))
    (home / "many.yaml").write_text(f"name: many\nformat: npz\nclasses:\n{names}\nfiles:\n  - name: many.npz\n")
    return home / "many.yaml"


@pytest.mark.slow
def test_300_classes_from_arrays_to_answers(described: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = millrace.train(described, policy=millrace.Policy(rotate=10), out="run", **SMALL)
    ledger = [line["ledger"] for line in read_lines(run.path / "epochs.jsonl")]
    for name in FORMATS:
        out = f"as-{name}"
        policy = millrace.Policy(rotate=10)
        millrace.export(described, out, format=name, policy=policy, seed=3, shard_rows=400)
        stored = millrace.stream(out, batch=64)
        assert stored[0].schema.field("label").type == "uint16"
        assert stored[0].to_pydict() == millrace.stream(described, batch=64, policy=policy, seed=3)[0].to_pydict()
        again = millrace.train(out, out=f"run-{name}", **SMALL)
        assert [line["ledger"] for line in read_lines(again.path / "epochs.jsonl")] == ledger
    assert pq.read_schema(next(Path("as-parquet/data").glob("train-*"))).field("label").type == "uint16"
    assert len(list(Path("as-imagefolder/train").iterdir())) == CLASSES + 1
    capsys.readouterr()
    assert main(["audit", "run"]) == 0
    assert main(["evaluate", "run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["count"] == 450
    assert len(found["classes"]) == CLASSES
    assert found["confusion"] is None
    assert found["correct"] + sum(count for _, _, count in found["mistakes"]) == 450
    assert main(["evaluate", "run", "--tta", "1"]) == 0
    assert "20 with the largest errors, of 300 classes" in capsys.readouterr().out
    network = millrace.network("run")
    images = datasets.images(datasets.load(datasets.find(str(described))).test)
    answers = network.predict(images)
    assert answers.probabilities.shape == (450, CLASSES)
    assert np.mean(answers.labels == np.tile(np.arange(CLASSES), EACH)[:450]) == pytest.approx(found["test_accuracy"])
    assert {len(best) for best in answers.top(3)} == {3}
    network.save("network.safetensors")
    assert millrace.network("network.safetensors").classes[-1] == "class 299"
    report = (run.path / "report.html").read_text()
    assert "The 100 classes with the largest errors, of 300." in report
    assert "20 commonest of" in report


@pytest.mark.slow
def test_arrays_of_65536_classes_are_streamed(home: Path) -> None:
    labels = np.array([0, 65_535, 255, 256, 1, 2], np.int64)
    images = np.zeros((6, 4, 4), np.uint8)
    stream = millrace.stream((images, labels), batch=6)
    assert len(stream.classes) == 65_536
    assert sorted(stream[0]["label"].to_pylist()) == [0, 1, 2, 255, 256, 65_535]
    (batch,) = stream.numpy(1, columns=("label", "sample"))
    assert batch[0].dtype == np.int32
    assert batch[0].tolist() == labels[batch[1]].tolist()
    with pytest.raises(millrace.UsageError, match="impossible label"):
        millrace.stream((images, labels + 1), batch=6)
