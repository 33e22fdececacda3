"""train, resume and evaluate on the embedded digits, with a network small enough to be quick."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millrace.commands import main as command_line
from millrace.runs.folder import RunFolder

ROOT = Path(command_line.__file__).resolve().parents[2]
SMALL = "train --network.hidden 16 --epochs 2 --batch 64"


def weights(folder: Path) -> bytes:
    return (RunFolder.open(folder).checkpoints()[-1] / "weights.safetensors").read_bytes()


def test_train_says_where_the_run_lies_and_ends_with_the_accuracy(door: Any, home: Path) -> None:
    assert door(SMALL) == 0
    assert re.fullmatch(r"test accuracy \d+\.\d\d %", door.out.splitlines()[-1])
    (folder,) = (home / "data" / "millrace" / "runs").iterdir()
    assert re.fullmatch(r"digits-\d{8}-\d{6}", folder.name)
    for name in ("config.yaml", "metrics.jsonl", "epochs.jsonl", "checkpoints"):
        assert (folder / name).exists()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 46
    assert "millrace evaluate data/millrace/runs/digits-" in door.out
    assert max(map(len, door.out.splitlines())) <= 100
    trained = door.out.splitlines()[-1]
    assert door("evaluate latest") == 0
    assert door.out.splitlines()[-1] == trained


def test_the_kept_configuration_trains_the_same_weights(door: Any, home: Path) -> None:
    assert door(f"{SMALL} --out a --seed 3 --policy.rotate 5 --workers 2") == 0
    assert door("train a/config.yaml --out b --workers 1") == 0
    assert weights(home / "a") == weights(home / "b")


def test_a_finished_run_is_not_trained_again(door: Any) -> None:
    assert door(f"{SMALL} --out a") == 0
    accuracy = door.out.splitlines()[-1]
    for again in (f"{SMALL} --out a", f"{SMALL} --out a --workers 1", "resume a"):
        assert door(again) == 0
        assert "this run is finished" in door.out
        assert door.out.splitlines()[-1] == accuracy


def test_a_run_of_a_cluster_that_is_gone_goes_on_in_another_place(door: Any, home: Path) -> None:
    assert door(f"{SMALL} --out a") == 0
    trained = weights(home / "a")
    (home / "a" / "result.json").unlink()
    text = (home / "a" / "config.yaml").read_text()
    (home / "a" / "config.yaml").write_text(
        text.replace("runtime: local", "runtime: ray")
        .replace("address: null", "address: 192.0.2.1:6379")
        .replace("servers: 1", "servers: 3")
    )
    assert door("config a/config.yaml") == 0
    assert "192.0.2.1:6379" in door.out
    assert door("resume a --runtime local") == 0
    assert weights(home / "a") == trained


def test_another_recipe_in_the_folder_is_refused_and_says_what_differs(door: Any, home: Path) -> None:
    assert door(f"{SMALL} --out a") == 0
    assert door(f"{SMALL} --out a --seed 1 --epochs 3") == 2
    assert "epochs: 2 there, 3 here" in door.err
    assert "seed: 0 there, 1 here" in door.err
    (home / "full").mkdir()
    (home / "full" / "letter.txt").write_text("dear")
    assert door(f"{SMALL} --out full") == 2
    assert [path.name for path in (home / "full").iterdir()] == ["letter.txt"]


def test_what_cannot_be_trained_leaves_no_folder(door: Any, home: Path) -> None:
    for flags, said in (
        ("--batch 5000", "batch"),
        ("--subset 9999", "rows"),
        ("--dataset mnits", "did you mean 'mnist'"),
        ("--slot-size 65", "slot"),
        ("--optimizer.name adm", "did you mean 'adam'"),
        ("--seed 4294967296", "seed"),
    ):
        assert door(f"{SMALL} --out a {flags}") == 2, flags
        assert said in door.err
        assert not (home / "a").exists()


def test_a_loss_that_is_no_number_ends_the_run_with_one_clear_error(door: Any) -> None:
    assert door(f"{SMALL} --out a --optimizer.rate 1e30") == 1
    assert "training broke down at step" in door.err
    assert "Warning" not in door.err


def test_a_run_that_fails_leaves_ctrl_c_as_it_was(door: Any) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert door("train --optimizer.name sgd --optimizer.rate 1e30 --subset 64 --batch 16 --epochs 2") == 1
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_events_are_json_lines(door: Any) -> None:
    assert door(f"{SMALL} --out a --validation 100 --json") == 0
    lines = [json.loads(line) for line in door.out.splitlines()]
    assert lines[0]["event"] == "run_started"
    assert sum(line["event"] == "epoch" for line in lines) == 2
    assert lines[-1]["event"] == "run_done"
    accuracy = lines[-1]["test_accuracy"]
    assert door("evaluate a --json") == 0
    found = json.loads(door.out)
    assert found["test_accuracy"] == accuracy == found["correct"] / found["count"]
    assert sum(map(sum, found["confusion"])) == found["count"] == 360
    assert sum(row["wrong"] for row in found["classes"]) == 360 - found["correct"]


def test_the_environment_cannot_change_a_recipe(door: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert door(f"{SMALL} --out a") == 0
    monkeypatch.setenv("MILLRACE_EPOCHS", "9")
    monkeypatch.setenv("MILLRACE_WORKERS", "1")
    assert door("resume a") == 0
    assert "MILLRACE_EPOCHS is ignored" in door.err
    assert "WORKERS" not in door.err


def test_evaluate_takes_a_checkpoint_and_refuses_another_dataset(
    door: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert door(f"{SMALL} --out a") == 0
    (checkpoint,) = (home / "a" / "checkpoints").iterdir()
    assert door("evaluate", str(checkpoint)) == 0
    (home / "own.yaml").write_text("name: own\nformat: npz\nclasses: [a, b]\nfiles: [{name: own.npz}]\n")
    assert door("evaluate a --dataset own.yaml") == 1
    (checkpoint / "weights.safetensors").write_bytes(b"x")
    assert door("evaluate", str(checkpoint)) == 1
    assert "damaged" in door.err
    assert door("evaluate nowhere") == 2
    assert door("evaluate", str(home)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_writes_a_checkpoint_and_resume_ends_in_the_same_bits(
    door: Any, home: Path, number: signal.Signals, code: int
) -> None:
    long = "train --network.hidden 400 --epochs 40 --batch 32"  # long enough to be met in its midst by a busy machine
    command = [sys.executable, "-m", "millrace", *long.split(), "--out", str(home / "a")]
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if re.match(r" +3 ", line):
                process.send_signal(number)
                break
        out = process.stdout.read()
        assert process.wait(timeout=30) == code
    assert "stopping: writing a checkpoint" in out
    assert "millrace resume" in out
    assert not RunFolder.open(home / "a").finished
    assert door("resume a --workers 1") == 0
    assert door(f"{long} --out b") == 0
    assert weights(home / "a") == weights(home / "b")
    steps = [json.loads(line)["step"] for line in (home / "a" / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(len(steps)))


def test_a_run_has_one_owner(door: Any, home: Path) -> None:
    assert door(f"{SMALL} --out a") == 0
    (home / "a" / "result.json").unlink()
    folder = RunFolder.open(home / "a")
    folder.own()
    try:
        assert door("resume a") == 2
        assert "this process trains" in door.err
    finally:
        folder.release()
