"""train, resume, open_run and network from code: they end in the bytes of the commands, and print nothing."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import millrace
from millrace.commands.main import main
from millrace.errors import CheckpointError, ReportError, UsageError
from millrace.library.run import Run
from millrace.workers.events import EpochDone, Event, Notice, RunDone, RunStarted

SMALL: dict[str, Any] = {"network": {"hidden": [16]}, "epochs": 2, "batch": 64}
LONG: dict[str, Any] = {**SMALL, "epochs": 5, "validation": 100}  # no step runs ahead of an epoch's edge
COMMAND = "train --network.hidden 16 --epochs 2 --batch 64"


def weights(run: Run) -> bytes:
    step = run.checkpoints[-1]
    return (run.path / "checkpoints" / f"step-{step:010d}" / "weights.safetensors").read_bytes()


def test_a_run_from_code_is_that_of_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    policy = millrace.Policy(rotate=5)
    run = millrace.train("digits", out=home / "a", seed=3, policy=policy, observer=events.append, **SMALL)
    assert capsys.readouterr() == ("", "")
    assert run.finished
    assert [type(event) for event in events if isinstance(event, RunStarted | EpochDone | RunDone)] == [
        *(RunStarted, EpochDone, EpochDone, RunDone),
    ]
    assert main([*COMMAND.split(), *["--seed", "3", "--policy", "none", "--policy.rotate", "5", "--out", "b"]]) == 0
    assert weights(run) == weights(millrace.open_run("b"))
    assert (run.path / "report.html").is_file()
    assert run.result is not None
    assert run.result["test_accuracy"] == events[-1].test_accuracy  # type: ignore[union-attr]


def test_a_run_whose_report_cannot_be_written_is_finished_all_the_same(home: Path) -> None:
    said: list[str] = []

    def observer(event: Event) -> None:
        if isinstance(event, RunStarted):
            (home / "a" / "report.html").mkdir()
        said.extend([event.text] if isinstance(event, Notice) else [])

    run = millrace.train(out=home / "a", observer=observer, **SMALL)
    assert run.finished
    assert [text for text in said if text.startswith("no report was written: the report ")]
    with pytest.raises(ReportError, match="directory"):
        run.report()


def test_settings_come_from_a_file_and_the_call_but_no_recipe_from_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_EPOCHS", "9")
    monkeypatch.setenv("MILLRACE_WORKERS", "1")
    Path("a.yaml").write_text("epochs: 1\nbatch: 32\nnetwork:\n  hidden: [8]\n")
    dotted: dict[str, Any] = {"optimizer.rate": 0.01}
    run = millrace.train(config="a.yaml", batch=64, **dotted)
    chosen = run.config.job
    assert (chosen.epochs, chosen.batch, chosen.network.hidden, chosen.optimizer.rate) == (1, 64, (8,), 0.01)
    assert run.path.parent == home / "data" / "millrace" / "runs"
    with pytest.raises(UsageError, match="unknown key 'epoch'") as refused:
        millrace.train(epoch=3)
    assert refused.value.do == "did you mean 'epochs'?"


def test_a_stopped_run_resumes_to_the_same_bits(home: Path) -> None:
    stop = threading.Event()

    def observer(event: Event) -> None:
        if isinstance(event, EpochDone):
            stop.set()

    run = millrace.train(out="a", observer=observer, stop=stop, **LONG)
    assert not run.finished
    assert run.result is None
    assert 0 < run.checkpoints[-1] < 105
    notices: list[Event] = []
    with pytest.raises(UsageError, match="epochs is not possible here: a run keeps its recipe"):
        millrace.resume("a", epochs=3)
    resumed = millrace.resume("a", workers=1, observer=notices.append)
    assert resumed.finished
    assert weights(resumed) == weights(millrace.train(out="b", **LONG))
    assert [line["step"] for line in resumed.metrics] == list(range(105))
    again = millrace.train(out="a", observer=notices.append, **LONG)
    assert again.finished
    assert not any(isinstance(event, Notice) for event in notices)
    with pytest.raises(UsageError, match="another recipe"):
        millrace.train(out="a", seed=1, **LONG)


def test_ctrl_c_writes_a_checkpoint_first(home: Path) -> None:
    def observer(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        millrace.train(out="a", observer=observer, **LONG)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    run = millrace.open_run("a")
    assert 0 < run.checkpoints[-1] == len(run.metrics) < 105
    assert millrace.resume("a").finished


def test_ctrl_c_after_the_last_step_leaves_a_whole_run(home: Path) -> None:
    def observer(event: Event) -> None:
        if isinstance(event, RunDone):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        millrace.train(out="a", observer=observer, **SMALL)
    run = millrace.open_run("a")
    assert run.finished
    assert (run.path / "report.html").is_file()


def test_an_open_run_shows_what_its_files_hold(home: Path) -> None:
    millrace.train(out="a", validation=100, **SMALL)
    run = millrace.open_run("a")
    assert run.metrics == [json.loads(line) for line in Path("a/metrics.jsonl").read_text().splitlines()]
    assert run.epochs == [json.loads(line) for line in Path("a/epochs.jsonl").read_text().splitlines()]
    assert run.incidents == []
    curves = run.curves()
    assert curves["validation_loss"].tolist() == [line["validation_loss"] for line in run.epochs]
    assert curves["epoch"].tolist() == [0.0, 1.0]
    assert "ledger" not in curves
    last = run.checkpoint()
    assert last.step == run.checkpoints[-1]
    assert np.array_equal(run.checkpoint(last.step).weights, last.weights)
    with pytest.raises(CheckpointError, match="no checkpoint of this step"):
        run.checkpoint(1)
    with pytest.raises(UsageError):
        millrace.open_run("nowhere")
    with pytest.raises(UsageError, match="in its own folder"):
        millrace.resume(run.path, out="elsewhere")
    with pytest.raises(UsageError, match="unknown key of a network"):
        millrace.network(run.path, epochs=3)


def test_a_network_predicts_what_the_command_says(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = millrace.train(out="a", **SMALL)
    assert main(["export-model", "a"]) == 0
    run.network().save("saved.safetensors")
    assert Path("saved.safetensors").read_bytes() == Path("network.safetensors").read_bytes()
    rows = np.zeros((60, 90), np.uint8)
    rows[10:80, 40:50] = 255
    Image.fromarray(rows).save("stroke.png")
    capsys.readouterr()
    assert main(["predict", "a", "stroke.png", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    for network in (run.network(), millrace.network("a"), millrace.network("network.safetensors")):
        found = network.predict(["stroke.png"])
        assert [{"class": name, "probability": chance} for name, chance in found.top(3)[0]] == said["top"]
        assert found.names == [said["prediction"]]
        with Image.open("stroke.png") as picture:
            assert np.array_equal(network.predict([picture]).probabilities, found.probabilities)
    clear = np.zeros((60, 60, 4), np.uint8)
    clear[10:50, 25:35, 3] = 255  # black ink on what is transparent, which is paper
    Image.fromarray(clear).save("clear.png")
    with Image.open("clear.png") as picture:
        as_file, as_picture = network.predict(["clear.png"]), network.predict([picture])
    assert np.array_equal(as_picture.probabilities, as_file.probabilities)
    pixels = np.arange(3 * 64, dtype=np.uint8).reshape(3, 1, 8, 8)
    answers = network.predict(pixels)
    assert answers.probabilities.shape == (3, 10)
    assert np.allclose(answers.probabilities.sum(axis=1), 1)
    assert np.array_equal(answers.probabilities, network.predict(pixels[:, 0]).probabilities)
    assert answers.labels.tolist() == [int(name) for name in answers.names]
    assert len(network.predict(pixels[:0])) == 0
    wrong: Any
    for wrong in (pixels.astype(np.float32), pixels[:, :, :7]):
        with pytest.raises(UsageError, match="not as the network takes them"):
            network.predict(wrong)
    wrong = [pixels[0]]
    with pytest.raises(UsageError, match="this is no picture"):
        network.predict(wrong)
