"""`ray job submit --working-dir .` from this project's root, to a Ray that runs on this machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.runs.folder import RunFolder
from tests.workers.ray_runtime.head import ROOT, Head

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]
TRAIN = ["train", "--dataset", "digits", "--epochs", "2", "--workers", "2"]


def submit(cluster: Head, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Submit a job and wait for its end."""
    ray = [sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", cluster.dashboard]
    command = [*ray, "--working-dir", ".", "--", "python", "-m", "millrace", *words]
    environment = cluster.environment | variables
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def result(folder: Path) -> tuple[bytes, ...]:
    checkpoint = RunFolder.open(folder).latest()
    assert checkpoint is not None
    return checkpoint.weights.tobytes(), *(array.tobytes() for _, array in sorted(checkpoint.optimizer.items()))


def test_a_submitted_job_ends_in_the_bytes_of_local_mode(cluster: Head, tmp_path: Path) -> None:
    local = cluster.millrace(*TRAIN, "--out", str(tmp_path / "local"), seconds=200)
    assert local.returncode == 0, local.stderr
    job = submit(cluster, *TRAIN, "--runtime", "ray", "--address", "auto")
    assert job.returncode == 0, job.stdout + job.stderr
    assert "succeeded" in job.stdout
    [folder] = (cluster.home / ".local" / "share" / "millrace" / "runs").iterdir()
    assert f"run       {folder}\n" in job.stdout  # the whole path: its reader sits at another machine
    assert result(folder) == result(tmp_path / "local")
    assert local.stdout.splitlines()[-1] in job.stdout
    # The same display as in local mode: epoch, loss, accuracy and rate of the epochs' lines.
    progress = [line[:38] for line in local.stdout.splitlines() if line[:6].strip().isdigit()]
    assert len(progress) == 2
    assert progress == [line[:38] for line in job.stdout.splitlines() if line[:6].strip().isdigit()]

    # What was uploaded: this project, without environments, caches and history.
    [package] = (cluster.home.parent / "session_latest" / "runtime_resources" / "working_dir_files").glob("_ray_pkg_*/")
    uploaded = {path.name for path in package.iterdir()}
    assert "millrace" in uploaded
    assert not {name for name in uploaded if name.startswith((".venv", ".git/", ".mypy", ".ruff", ".pytest"))}
    assert sum(path.stat().st_size for path in package.rglob("*") if path.is_file()) < 50 << 20


def test_a_job_says_where_a_relative_folder_lies(cluster: Head) -> None:
    words = ["train", "--json", "--epochs", "1", "--runtime", "ray", "--address", "auto", "--workers", "1"]
    job = submit(cluster, *words, "--out", "here")
    assert job.returncode == 0, job.stdout + job.stderr
    events = [json.loads(line) for line in job.stdout.splitlines() if line.startswith('{"event"')]
    [started] = [event for event in events if event["event"] == "run_started"]
    assert "working_dir_files" in started["folder"]
    notices = [event["text"] for event in events if event["event"] == "notice"]
    assert any("goes with the cluster" in text and "--out" in text for text in notices)


def test_a_stranger_cannot_submit(cluster: Head, tmp_path: Path) -> None:
    job = submit(cluster, "config", HOME=str(tmp_path), RAY_AUTH_MODE="disabled")
    assert job.returncode != 0
    assert "token" in (job.stdout + job.stderr).lower()
