"""Numbers, paths and policies in words."""

from pathlib import Path

import pytest

from millrace.pipeline.policy import PRESETS, Policy
from millrace.reports.words import accuracy_line, argument, duration, in_words, passes, percent, short, size


def test_numbers() -> None:
    assert percent(0.983) == "98.3 %"
    assert accuracy_line(0.98333) == "test accuracy 98.33 %"
    assert [size(n) for n in (0, 999, 1000, 11_490_000, 5 * 10**12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "11.5 MB",
        "5000.0 GB",
    ]
    assert [duration(s) for s in (3.21, 75.2, 3600, 7384)] == ["3.2 s", "1 min 15 s", "1 h 00 min", "2 h 03 min"]


def test_paths_are_shortened_and_quoted_where_a_shell_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    assert short(tmp_path / "work" / "runs" / "a") == "runs/a"
    assert short(tmp_path / "home" / "a") == "~/a"
    assert short(tmp_path) == str(tmp_path)
    assert argument(tmp_path / "home" / "a") == "~/a"
    assert argument(tmp_path / "home" / "a b") == f"'{tmp_path}/home/a b'"


def test_addresses_are_left_as_they_are_and_quoted_for_a_shell() -> None:
    assert short("s3://bucket/run") == argument("s3://bucket/run") == "s3://bucket/run"
    assert short("s3://b/r?region=x&scheme=http") == "s3://b/r?region=x&scheme=http"
    assert argument("s3://b/r?region=x&scheme=http") == "'s3://b/r?region=x&scheme=http'"


def test_policies() -> None:
    assert in_words(PRESETS["none"]) == "no augmentation"
    assert in_words(Policy("x", translate=0.08, flip=0.5)) == "shift up to 8 %, mirrored 50 %"


def test_what_comes_several_times_in_an_epoch_is_not_counted_in_epochs() -> None:
    assert passes(2, "uniform") == ["epoch 1", "epoch 2"]
    assert passes(2, "balanced") == ["showing 1", "showing 2"]
