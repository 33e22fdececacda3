"""Balanced sampling through the whole house: streams, shards, training, resuming, exports, proof."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import millrace
from millrace.commands.main import main
from millrace.errors import UsageError
from millrace.library.run import Run
from millrace.loading.datastream import DataStream
from millrace.workers.events import EpochDone, Event

LABELS = np.array([0] * 70 + [1] * 20 + [2] * 6, np.uint8)
IMAGES = (np.arange(96 * 30) * 7 % 251).astype(np.uint8).reshape(96, 6, 5)
POLICY = millrace.Policy(rotate=20)
SMALL: dict[str, Any] = {"batch": 16, "seed": 2}


def streamed(**options: Any) -> DataStream:
    return millrace.stream((IMAGES, LABELS), batch=16, seed=2, policy=POLICY, sampling="balanced", **options)


def test_an_epoch_has_every_class_equally_often_over_shards_too() -> None:
    stream = streamed()
    labels = np.concatenate([labels for _, labels in stream.numpy(1)])
    assert np.bincount(labels).tolist() == [32, 32, 32]
    for step in (0, 5, 13):
        parts = [stream.shard(rank, 3)[step].to_pylist() for rank in range(3)]
        assert [row for part in parts for row in part] == stream[step].to_pylist()


def test_a_state_is_of_its_sampling_and_those_of_before_still_hold() -> None:
    balanced, uniform = streamed(), millrace.stream((IMAGES, LABELS), batch=16, seed=2, policy=POLICY)
    assert balanced.at(streamed().at(7).state())[7].equals(balanced[7])
    assert "sampling" not in uniform.state()["stream"]
    with pytest.raises(UsageError, match="another stream: sampling differ"):
        uniform.at(balanced.state())
    with pytest.raises(UsageError, match="another stream: sampling differ"):
        balanced.at(uniform.state())


def test_what_it_does_not_go_with_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'balanced'"):
        millrace.stream((IMAGES, LABELS), sampling="balance")
    with pytest.raises(UsageError, match="sampling is for training"):
        millrace.stream((IMAGES, LABELS), split="test", sampling="balanced")


@pytest.fixture
def described(home: Path) -> str:
    np.savez(home / "a.npz", train_images=IMAGES, train_labels=LABELS)
    (home / "a.yaml").write_text("name: a\nformat: npz\nclasses: [x, y, z]\ntest: none\nfiles:\n  - name: a.npz\n")
    return str(home / "a.yaml")


def weights(run: Run) -> bytes:
    step = run.checkpoints[-1]
    return (run.path / "checkpoints" / f"step-{step:010d}" / "weights.safetensors").read_bytes()


@pytest.mark.slow
def test_training_resuming_exporting_and_auditing_agree(described: str, capsys: pytest.CaptureFixture[str]) -> None:
    how: dict[str, Any] = {**SMALL, "epochs": 3, "network": {"hidden": [8]}}
    how["regularization"] = {"dropout": 0.3, "input_noise": 0.1, "mixup": 0.5}
    chosen: dict[str, Any] = {"policy": POLICY, "sampling": "balanced", "validation": 6}
    run = millrace.train(described, out="one", workers=1, **how, **chosen)
    assert weights(millrace.train(described, out="three", workers=3, **how, **chosen)) == weights(run)
    stop = threading.Event()

    def observer(event: Event) -> None:
        if isinstance(event, EpochDone):
            stop.set()

    stopped = millrace.train(described, out="stopped", observer=observer, stop=stop, **how, **chosen)
    assert weights(millrace.resume("stopped") if not stopped.finished else stopped) == weights(run)
    assert weights(millrace.train(described, out="uniform", **how, policy=POLICY, validation=6)) != weights(run)
    capsys.readouterr()
    assert main(["audit", "one"]) == 0
    proof = "3 epochs, 270 showings, every class equally often: missing 0, too many 0"
    lines = capsys.readouterr().out.splitlines()
    # 30 showings of 68, 18 and 4 samples: 30 of the first, all of the others.
    assert lines[1].split()[:5] == ["0", "90", "52", "0", "0"]
    assert proof in lines
    exported = millrace.export(described, "out", epochs=3, seed=2, **chosen)
    assert exported.manifest is not None
    assert exported.manifest.dataset["sampled"] == [68, 18, 4]
    stored, source = millrace.stream("out", batch=16), millrace.stream(described, batch=16, seed=2, **chosen)
    assert [stored[step].to_pydict() for step in range(18)] == [source[step].to_pydict() for step in range(18)]
    # Its own random layers too draw anew for what comes again.
    again = millrace.train("out", out="again", **how)
    assert [line["ledger"] for line in again.epochs] == [line["ledger"] for line in run.epochs]
    assert weights(again) == weights(run)
    assert main(["audit", "again"]) == 0
    assert capsys.readouterr().out.splitlines()[:4] == lines[:4]
    for folder in ("one", "again"):
        assert "every class equally often" in (Path(folder) / "report.html").read_text()
    assert main(["explain", "out", "200"]) == 0
    with pytest.raises(UsageError, match="stand in an order of their own"):
        millrace.train("out", sampling="balanced", out="not", **how)
    assert "augmented, showing 1 to showing 5" in (run.path / "report.html").read_text()
    assert "Every class comes equally often" in (Path("out") / "README.md").read_text()
