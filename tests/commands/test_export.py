"""export, verify, explain and training on an export, from the command line."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from millrace.commands import main as command_line
from tests.commands.test_training import weights

ROOT = Path(command_line.__file__).resolve().parents[2]
FORMATS = ("parquet", "arrow", "huggingface", "webdataset", "npz", "imagefolder")
SMALL = "--subset 120 --epochs 3"
TRAIN = "train --network.hidden 16 --epochs 3 --batch 50 --slot-size 20"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_export_says_what_lies_where_and_what_to_do_next(door: Any, home: Path) -> None:
    assert door(f"export digits {SMALL} --out a") == 0
    assert "digits: 360 train, 360 test; 3 epochs" in door.out
    assert "millrace verify a" in door.out
    assert door.out.splitlines()[-1] == "exported 720 rows"
    assert sorted(os.listdir("a")) == ["README.md", "contact-sheet.png", "data", "manifest.json"]
    with Image.open("a/contact-sheet.png") as picture:
        assert picture.width > 400
    assert door("verify a") == 0
    assert "720 rows in 2 shards, all as they should be" in door.out


def test_the_same_command_again_finds_it_whole(door: Any, home: Path) -> None:
    assert door(f"export digits {SMALL} --out a") == 0
    before = files(home / "a")
    assert door(f"export digits {SMALL} --out a --workers 3 --json") == 0
    found = json.loads(door.out)
    assert (found["made"], found["shards"], found["rows"]) == (0, 2, 720)
    assert files(home / "a") == before


@pytest.mark.parametrize(
    "name", ["parquet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("webdataset", "imagefolder"))]
)
def test_training_on_an_export_ends_in_the_weights_of_the_live_stream(name: str, door: Any, home: Path) -> None:
    data = "--subset 120 --validation 20 --seed 5"
    assert door(f"export digits --epochs 3 {data} --format {name} --out data") == 0
    assert door(f"{TRAIN} {data} --out live") == 0
    live = door.out.splitlines()[-1]
    assert door(f"{TRAIN} --seed 5 --dataset data --workers 2 --out stored") == 0
    assert door.out.splitlines()[-1] == live
    assert weights(home / "live") == weights(home / "stored")
    printed = [
        [json.loads(line) for line in (home / run / "epochs.jsonl").read_text().splitlines()]
        for run in ("live", "stored")
    ]
    for key in ("loss", "validation_loss", "ledger"):
        assert [line[key] for line in printed[0]] == [line[key] for line in printed[1]]
    assert door("evaluate stored") == 0
    assert door.out.splitlines()[-1] == live


def test_what_comes_after_training_on_an_export_can_be_done(door: Any, home: Path) -> None:
    assert door("export digits --subset 100 --out shards") == 0
    assert door("train --dataset shards --epochs 1 --batch 50 --network.hidden 4 --out run") == 0
    assert "preview" not in door.out
    after = next(line for line in door.out.splitlines() if "millrace explain" in line)
    assert door(after.partition("millrace ")[2]) == 0


def test_training_refuses_what_an_export_cannot_give(door: Any, home: Path) -> None:
    assert door(f"export digits {SMALL} --out data") == 0
    for flags, said in (
        ("--epochs 4", "holds too few epochs"),
        ("--policy digits", "augmented already"),
        ("--validation 10", "its own splits"),
        ("--subset 10", "its own splits"),
        ("--batch 121", "does not fit"),
    ):
        assert door(f"{TRAIN} --dataset data {flags} --out run") == 2, flags
        assert said in door.err
        assert not (home / "run").exists()


def test_a_run_on_an_export_goes_on_from_anywhere(door: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert door(f"export digits {SMALL} --out data") == 0
    assert door(f"{TRAIN} --dataset data --out run") == 0
    config = yaml.safe_load((home / "run" / "config.yaml").read_text())
    assert config["dataset"] == str(home / "data")
    (home / "elsewhere").mkdir()
    monkeypatch.chdir(home / "elsewhere")
    assert door("evaluate", str(home / "run")) == 0
    assert door("preview --dataset ../data --rows 2 --columns 1") == 0
    assert door("datasets ../data") == 0


def test_dry_run_says_sizes_and_writes_nothing(door: Any, home: Path) -> None:
    assert door("export digits --epochs 40 --format webdataset --out a --dry-run") == 0
    assert "57,480" in door.out
    assert "nothing was written" in door.out
    assert os.listdir(home) == []
    assert door("export digits --epochs 2 --out a --dry-run --json") == 0
    estimated = json.loads(door.out)
    assert door("export digits --epochs 2 --out a --json") == 0
    assert json.loads(door.out)["bytes"] == pytest.approx(estimated["bytes"], rel=0.3)


def test_explain_draws_a_row_anew(door: Any, home: Path) -> None:
    assert door(f"export digits {SMALL} --validation 20 --format imagefolder --out a") == 0
    assert door("explain a 130") == 0
    assert "row       130 of split train: epoch 2, position 30" in door.out
    assert "pixel for pixel" in door.out
    lines = (home / "a" / "train" / "metadata.csv").read_text().splitlines()
    stored = home / "a" / "train" / lines[131].split(",")[0]
    assert (home / "train-130-augmented.png").read_bytes() == stored.read_bytes()
    with Image.open("train-130-original.png") as picture:
        assert picture.size == (8, 8)
    assert door("explain a 3 --split validation --json") == 0
    found = json.loads(door.out)
    assert found["same"]
    assert found["parameters"]["scale_x"] == 1.0
    for words in ("a 300", "a -1", "a x", "a 5 --split tset", "b 5", "a 5 --out nowhere", "a"):
        assert door(f"explain {words}") == 2, words


def test_verify_names_what_is_damaged(door: Any, home: Path) -> None:
    assert door(f"export digits {SMALL} --shard-rows 100 --out a") == 0
    victim = home / "a" / "data" / "train-00002-of-00004.parquet"
    victim.write_bytes(victim.read_bytes()[:-10])
    assert door("verify a") == 1
    assert "data/train-00002-of-00004.parquet has the wrong size" in door.err
    assert door("verify a --json") == 1
    assert json.loads(door.out.splitlines()[0])["shard"] == "data/train-00002-of-00004.parquet"
    assert door(f"export digits {SMALL} --shard-rows 100 --out a") == 0
    assert "7 shards that lay there already" in door.out
    assert door("verify a") == 0
    assert door("verify nowhere") == 2
    (home / "a" / "manifest.json").write_text("{}")
    assert door("verify a") == 1


def test_wrong_use_is_refused_before_anything_is_written(door: Any, home: Path) -> None:
    (home / "full").mkdir()
    (home / "full" / "letter.txt").write_text("dear")
    for flags, code, said in (
        ("digits", 2, "--out"),
        ("--out a", 2, "DATASET"),
        ("digits --out a --epochs 0", 2, "from 1"),
        ("digits --out a --format tfrecord", 2, "tfrecord"),
        ("digits --out ftp://host/a", 2, "unknown filesystem"),
        ("digits --out s3://name:secret@bucket/a", 2, "must not hold credentials"),
        ("digts --out a", 2, "did you mean 'digits'"),
        ("digits --out a --policy fotos", 2, "did you mean 'photos'"),
        ("digits --out a --workers -1", 2, "--workers"),
        ("digits --out a --runtime cloud", 2, "--runtime 'cloud' is unknown"),
        ("digits --out full", 2, "is not empty"),
        ("digits --out full/letter.txt", 1, "cannot be"),
        ("digits --out /proc/millrace", 1, "cannot be written"),
    ):
        assert door(f"export {flags}") == code, flags
        assert said in door.err, flags
        assert "secret" not in door.err + door.out
        assert sorted(os.listdir(home)) == ["full"]


def test_another_export_in_the_folder_is_refused(door: Any) -> None:
    assert door(f"export digits {SMALL} --out a") == 0
    assert door(f"export digits {SMALL} --out a --seed 1 --originals") == 2
    assert "holds another export: digits as parquet, 3 epochs, seed 0" in door.err
    assert "seed: 0 there, 1 here" in door.err
    assert "originals: false there, true here" in door.err
    assert door(f"export a {SMALL} --out b") == 2
    assert "is an export already" in door.err


@pytest.mark.parametrize("name", ["with spaces", 'it\'s "quoted"', "two\nlines"])
def test_any_name_is_a_folder(name: str, door: Any, home: Path) -> None:
    assert door(f"export digits {SMALL} --out", name) == 0
    assert door("verify", name) == 0
    assert door("explain", name, "7") == 0
    assert door(f"{TRAIN} --out run --dataset", name) == 0
    next_line = next(line for line in door.out.splitlines() if "millrace evaluate" in line)
    assert shlex.split(next_line.split("millrace evaluate")[1]) == ["run"]


def test_file_addresses_are_folders(door: Any, home: Path) -> None:
    assert door(f"export digits {SMALL} --out", (home / "a b").as_uri()) == 0
    assert door("verify", "a b") == 0


@pytest.mark.slow
def test_the_card_tells_classes_counts_augmentation_licence_and_loading(door: Any, home: Path) -> None:
    for name in FORMATS:
        assert door(f"export digits {SMALL} --format {name} --out {name}") == 0
        text = (home / name / "README.md").read_text()
        head = yaml.safe_load(text.split("---")[1])
        assert head["license"] == "cc-by-4.0"
        assert head["millrace"]["rows"] == {"train": 360, "test": 360}
        assert head["millrace"]["classes"] == list("0123456789")
        assert head["millrace"]["policy"]["rotate"] == 12.0
        assert ("configs" in head) == (name in ("huggingface", "webdataset", "imagefolder"))
        assert "shift up to 8 %" in text
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            compile(block, name, "exec")


@pytest.mark.slow
def test_a_signal_ends_with_whole_shards_and_the_same_command_goes_on(door: Any, home: Path) -> None:
    words = "export digits --epochs 30 --shard-rows 500 --format webdataset"
    command = [sys.executable, "-m", "millrace", *words.split(), "--out", str(home / "a")]
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True) as process:
        while not list(home.glob("a/data/*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        out = process.stdout.read()
        assert process.wait(timeout=30) == 130
    assert "the same command goes on from there" in out
    assert door("verify a") == 1
    assert "is not finished" in door.err
    kept = len(list((home / "a" / "data").glob("*.tar")))
    assert door(f"{words} --out a --json") == 0
    found = json.loads(door.out)
    assert found["made"] == found["shards"] - kept
    assert door("verify a") == 0


@pytest.mark.data
@pytest.mark.slow
def test_mnist_exported_and_trained_on(door: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = os.environ.get("MILLRACE_TEST_MIRROR")
    if not mirror:
        pytest.skip("MILLRACE_TEST_MIRROR names no mirror")
    monkeypatch.setenv("MILLRACE_CACHE", str(home / "cache"))
    assert door("export mnist --epochs 2 --out data --mirror", mirror) == 0
    assert door("verify data") == 0
    flags = "train --network.hidden 32 --epochs 2 --batch 512"
    assert door(f"{flags} --dataset mnist --offline --out live") == 0
    assert door(f"{flags} --dataset data --out stored") == 0
    assert weights(home / "live") == weights(home / "stored")
