"""Where runs lie, how they are found, and when two recipes differ."""

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from millrace.errors import UsageError
from millrace.library import finding
from millrace.model.options import OptimizerOptions
from millrace.pipeline.policy import preset
from millrace.runs.folder import RunFolder
from millrace.settings import config_file
from millrace.workers.job import Job, Place

NOW = datetime(2025, 3, 4, 5, 6, 7)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "millrace" / "runs"


def make(path: Path, job: Job | None = None, place: Place | None = None) -> RunFolder:
    return RunFolder.create(path, config_file.write(job or Job(), place or Place()))


def test_folders_are_named_by_dataset_and_time_and_never_twice(data: Path) -> None:
    assert finding.new_folder("digits", NOW) == data / "digits-20250304-050607"
    make(data / "digits-20250304-050607")
    assert finding.new_folder("digits", NOW) == data / "digits-20250304-050607-2"
    # Runs begun in the same second, none of which has written anything yet.
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: finding.new_folder("digits", NOW), range(4)))
    assert {path.name for path in made} == {f"digits-20250304-050607-{number}" for number in (3, 4, 5, 6)}
    assert finding.new_folder("/a/my own.yaml", NOW).name == "my own-20250304-050607"


def test_an_address_gives_no_folder_its_options(data: Path) -> None:
    address = "s3://bucket/shards/mnist?endpoint_override=127.0.0.1:9000&scheme=http"
    assert finding.called(address) == "mnist"
    assert finding.called("a/what?.yaml") == "what?"
    assert finding.new_folder(address, NOW).name == "mnist-20250304-050607"


def test_a_relative_data_home_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert finding.runs_folder() == tmp_path / ".local" / "share" / "millrace" / "runs"
    monkeypatch.setattr("sys.platform", "darwin")
    assert finding.runs_folder() == tmp_path / "Library" / "Application Support" / "millrace" / "runs"


def test_runs_are_found_by_path_name_and_latest(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no runs in"):
        finding.locate("latest")
    for age, name in enumerate(("new", "old")):
        make(data / name)
        os.utime(data / name / "config.yaml", (1e9 - age, 1e9 - age))
    make(tmp_path / "elsewhere")
    assert finding.locate("elsewhere") == tmp_path / "elsewhere"
    assert finding.locate("old") == data / "old"
    assert finding.locate("latest") == data / "new"
    with pytest.raises(UsageError, match="did you mean old"):
        finding.locate("odl")


def test_the_latest_run_is_the_one_trained_last(data: Path) -> None:
    for age, name in enumerate(("new", "old")):
        make(data / name)
        os.utime(data / name / "config.yaml", (1e9 - age, 1e9 - age))
    (data / "old" / "report.html").write_text("written later")
    assert finding.locate("latest") == data / "new"
    (data / "old" / "result.json").write_text("{}")
    assert finding.locate("latest") == data / "old"
    checkpoint = data / "new" / "checkpoints" / "step-0000000003"
    checkpoint.mkdir()
    os.utime(data / "old" / "result.json", (1e9 + 5, 1e9 + 5))
    assert finding.locate("latest") == data / "new"


def test_an_address_is_a_run_where_that_makes_sense(data: Path, tmp_path: Path) -> None:
    made = make(tmp_path / "my run", Job(seed=5))
    assert finding.open_folder((tmp_path / "my run").as_uri()).path == made.path
    assert finding.open_folder("my run").path == made.path
    assert finding.here("my run") == made.path
    with pytest.raises(UsageError, match="holds no run"):
        finding.open_folder((tmp_path / "absent").as_uri())
    with pytest.raises(UsageError, match="folders of this machine"):
        finding.here("s3://bucket/runs")


def test_a_run_keeps_its_configuration(data: Path) -> None:
    job, place = Job(seed=5, optimizer=OptimizerOptions(rate=1e-5)), Place(mirror="file:///m")
    kept = finding.settings_of(make(data / "a", job, place))
    assert (kept.job, kept.place) == (job, place)


def test_changes_name_the_keys() -> None:
    one = Job(policy=preset("digits"))
    assert finding.changes(one, Job()) == []
    two = dataclasses.replace(one, epochs=2, optimizer=OptimizerOptions(rate=0.5), policy=preset("none"))
    assert finding.changes(one, two)[0] == "epochs: 30 there, 2 here"
    assert "optimizer.rate: 0.001 there, 0.5 here" in finding.changes(one, two)
    assert "policy.rotate: 12.0 there, 0.0 here" in finding.changes(one, two)
