"""compare and leaderboard, from outside."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from millrace.errors import UsageError
from millrace.library.study_file import read_study
from millrace.library.variants import variants
from millrace.pipeline.policy import PRESETS
from millrace.workers.local_runtime import LocalRuntime

STUDIES = Path(__file__).resolve().parents[2] / "recipes" / "studies"
SMALL = "--subset 200 --validation 50 --epochs 2 --batch 32 --network.hidden 16"


def test_a_sweep_is_trained_ranked_and_drawn(door: Any) -> None:
    words = f"compare --sweep optimizer.name=sgd,adam --seeds 2 {SMALL} --out c"
    assert door(words) == 0
    rows = [line.split() for line in door.out.splitlines() if line.startswith("optimizer=")]
    assert {row[0] for row in rows} == {"optimizer=sgd", "optimizer=adam"}
    assert float(rows[0][1]) >= float(rows[1][1])
    found = json.loads(Path("c/compare.json").read_text())
    for seed in (0, 1):
        result = json.loads(Path(f"c/optimizer=adam/seed-{seed}/result.json").read_text())
        assert result["test_accuracy"] is None
        epochs = Path(f"c/optimizer=adam/seed-{seed}/epochs.jsonl").read_text().splitlines()
        assert [json.loads(line)["validation_loss"] for line in epochs] == found["optimizer=adam"]["losses"][seed]
    ends = [1 - errors[-1] for errors in found["optimizer=adam"]["errors"]]
    assert found["optimizer=adam"]["accuracy"]["mean"] == pytest.approx(sum(ends) / 2)
    assert found["optimizer=adam"]["accuracy"]["deviation"] == pytest.approx(abs(ends[0] - ends[1]) / 2**0.5)
    with Image.open("c/compare.png") as picture:
        assert picture.width > 1000


def test_what_is_trained_is_not_trained_again(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = f"compare --sweep batch=16,32 --seeds 1 {SMALL.replace('--batch 32', '')} --out c"
    assert door(words) == 0
    table = [line for line in door.out.splitlines() if line.startswith("batch=")]
    monkeypatch.setattr(LocalRuntime, "start", lambda self: pytest.fail("trained again"))
    assert door(words) == 0
    assert [line for line in door.out.splitlines() if line.startswith("batch=")] == table
    assert door(words.replace("--epochs 2", "--epochs 3")) == 2
    assert "another recipe" in door.err


@pytest.mark.slow
def test_a_variant_that_breaks_down_is_named(door: Any) -> None:
    words = f"compare --sweep optimizer.rate=0.01,1e20 --optimizer.name sgd --seeds 2 {SMALL} --out c"
    assert door(words) == 0
    assert "2 broke down" in door.out
    assert door(words) == 0
    assert json.loads(Path("c/compare.json").read_text())["rate=1e20"]["accuracy"] is None


def test_files_and_flags(door: Any) -> None:
    Path("one.yaml").write_text("optimizer: {name: sgd}\nepochs: 1\n")
    Path("two.yaml").write_text("optimizer: {name: adam}\nepochs: 1\n")
    assert door(f"compare one.yaml two.yaml --seeds 1 {SMALL.replace('--epochs 2', '')} --out c --json") == 0
    assert [json.loads(line)["variant"] for line in door.out.splitlines()] != []
    assert {path.name for path in Path("c").iterdir() if path.is_dir()} == {"one", "two"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("compare", "nothing to compare"),
        ("compare --sweep epochs=3", "nothing to compare"),
        ("compare --sweep optimizer.nam=sgd,adam", "did you mean 'optimizer.name'"),
        ("compare --sweep workers=1,2", "unknown key to sweep"),
        ("compare --sweep seed=1,2", "unknown key to sweep"),
        ("compare --sweep epochs", "not a sweep"),
        ("compare --sweep epochs=1,two --validation 9", "wrong type"),
        ("compare --sweep epochs=1,2", "validation split"),
        ("compare --sweep epochs=1,2 --seeds 0", "out of range"),
        ("compare --sweep optimizer.name=sgd,adm --validation 9", "did you mean 'adam'"),
        ("compare none.yaml --sweep epochs=1,2", "cannot read"),
        ("compare --sweep epochs=1,2 --validation 9 --stream grpc://127.0.0.1:1", "not from a service"),
        ("compare --sweep epochs=1,2 --validation 9 --no-test", "never read"),
    ],
)
def test_what_cannot_be_compared(door: Any, words: str, message: str) -> None:
    assert door(words) == 2
    assert message in door.err


def test_no_service_is_passed_over(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("served.yaml").write_text("stream: grpc://127.0.0.1:1\n")
    assert door("compare served.yaml --sweep epochs=1,2 --validation 9") == 2
    assert "not from a service" in door.err
    assert "served.yaml:1" in door.err
    monkeypatch.setenv("MILLRACE_STREAM", "grpc://127.0.0.1:1")
    assert door("compare --sweep epochs=1,2 --validation 9") == 2
    assert "set by MILLRACE_STREAM" in door.err


def test_sweeps_combine_and_take_lists() -> None:
    made = variants([], ["network.hidden=[64 32],[128]", "policy=none,digits"], {"validation": 10})
    assert [variant.name for variant in made] == [
        "hidden=[64 32] policy=none",
        "hidden=[64 32] policy=digits",
        "hidden=[128] policy=none",
        "hidden=[128] policy=digits",
    ]
    assert made[0].job.network.hidden == (64, 32)
    assert made[3].job.policy.name == "digits"


@pytest.mark.parametrize("study", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_can_be_read(study: Path) -> None:
    sides = variants([str(study)], [], {})
    assert len(sides) >= 3
    assert all(side.job.validation for side in sides)
    names = {
        "initialisation",
        "optimizer",
        "learning-rate",
        "batch-size",
        "momentum",
        "augmentation",
        "dropout",
        "staleness",
        "wire",
    }
    assert {path.stem for path in STUDIES.glob("*.yaml")} == names


def test_a_policy_without_a_preset_changes_the_one_of_the_base(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "base: {dataset: mnist, validation: 10, policy: {preset: photos, translate: 0.2}}\n"
        "variants: {a: {}, b: {policy: {erase: 0.5}}, c: {policy: digits}, d: {policy: {preset: digits, shear: 0.3}}}\n"
    )
    base, erased, named, sheared = (side.job.policy for side in variants([str(tmp_path / "s.yaml")], [], {}))
    assert (base.translate, base.flip, base.erase) == (0.2, 0.5, 0.0)
    assert (erased.translate, erased.flip, erased.erase) == (0.2, 0.5, 0.5)
    assert named == PRESETS["digits"]
    assert (sheared.translate, sheared.flip, sheared.shear) == (0.08, 0.0, 0.3)
    (tmp_path / "t.yaml").write_text(  # over a base without a policy, as in a file of its own
        "base: {dataset: mnist, validation: 10}\nvariants: {a: {}, b: {policy: {erase: 0.5}}}\n"
    )
    plain, alone = (side.job.policy for side in variants([str(tmp_path / "t.yaml")], [], {}))
    assert plain == PRESETS["digits"]
    assert (alone.translate, alone.erase) == (0.0, 0.5)


@pytest.mark.parametrize(
    "text",
    ["variants: {}", "variants: [a, b]", "variants: {a: 3}", "variants: {a: {epoch: 3}}", "base: 1\nvariants: {a: {}}"],
)
def test_damaged_studies_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(UsageError):
        read_study(tmp_path / "s.yaml")


def test_a_configuration_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("epochs: 3\n")
    assert read_study(tmp_path / "s.yaml") is None


def test_the_leaderboard_ranks_by_validation(door: Any) -> None:
    assert door(f"train {SMALL} --out runs/a") == 0
    assert door(f"train {SMALL.replace('--epochs 2', '--epochs 12')} --out runs/deep/b --no-test") == 0
    assert door(f"train {SMALL.replace('--validation 50', '')} --out runs/c") == 0
    assert door("leaderboard runs --json") == 0
    rows = [json.loads(line) for line in door.out.splitlines()]
    assert [row["run"] for row in rows] == ["deep/b", "a", "c"]
    assert rows[0]["validation"] > rows[1]["validation"]
    assert rows[0]["test"] is None
    assert rows[2]["validation"] is None
    assert rows[1]["test"] is not None
    assert rows[1]["parameters"] == 64 * 16 + 16 + 160 + 10
    assert door("leaderboard runs") == 0
    assert "64-16-10 relu" in door.out
    assert door("leaderboard runs/none") == 2
    Path("empty").mkdir()
    assert door("leaderboard empty") == 2
    assert "no runs" in door.err


@pytest.mark.ray
def test_on_ray_the_same_numbers(door: Any) -> None:
    words = f"compare --sweep batch=16,32 --seeds 1 {SMALL.replace('--batch 32', '')}"
    assert door(f"{words} --out here") == 0
    assert door(f"{words} --out there --runtime ray --workers 2") == 0
    one, other = (json.loads(Path(name, "compare.json").read_text()) for name in ("here", "there"))
    for name in one:
        assert one[name]["losses"] == other[name]["losses"]
