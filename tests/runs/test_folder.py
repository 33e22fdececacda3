"""The run's folder: one owner, newest whole checkpoint, nothing of others overwritten."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from millrace.errors import CheckpointError, MismatchError, TakenOverError, UsageError
from millrace.model import Checkpoint, Inputs
from millrace.runs.folder import RunFolder
from millrace.runs.incidents import MIXED, reproducible
from millrace.runs.json_lines import read_lines


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(
        step=step,
        weights=np.full(4, step, np.float32),
        optimizer={},
        config={},
        dataset_digest="d",
        model="m",
        inputs=Inputs((0.5,), (0.25,)),
        fingerprint={},
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", "epochs: 3\n")


def test_create_then_open(folder: RunFolder) -> None:
    again = RunFolder.open(folder.path)
    assert again.config_text() == "epochs: 3\n"
    assert (again.latest(), again.checkpoints(), again.finished) == (None, [], False)
    assert RunFolder.is_run(folder.path)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty"):
        RunFolder.create(tmp_path, "")
    with pytest.raises(UsageError, match="is not empty"):
        RunFolder.create(tmp_path / "letter.txt", "")
    with pytest.raises(UsageError, match="holds no run"):
        RunFolder.open(tmp_path)
    assert os.listdir(tmp_path) == ["letter.txt"]


def test_a_folder_whose_making_was_killed_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / ".config.yaml.4711.partial").write_text("epo")  # by an earlier version
    (tmp_path / ".config.yaml.0123456789ab.tmp").write_text("epo")
    assert RunFolder.create(tmp_path, "epochs: 3\n").config_text() == "epochs: 3\n"


def test_a_run_without_any_checkpoint_yet_can_be_owned(folder: RunFolder) -> None:
    (folder.path / "checkpoints").rmdir()  # killed before it was made
    folder.own()
    assert folder.latest() is None
    assert folder.write(checkpoint(1)).exists()
    folder.release()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be made"):
        RunFolder.create(tmp_path / "file" / "run", "")


def test_the_newest_two_checkpoints_are_kept(folder: RunFolder) -> None:
    for step in (3, 9, 10, 200):
        folder.write(checkpoint(step))
    assert [path.name for path in folder.checkpoints()] == ["step-0000000010", "step-0000000200"]
    newest = folder.latest(dataset_digest="d", model="m")
    assert newest is not None
    assert newest.step == 200
    folder.drop_after(199)
    assert [path.name for path in folder.checkpoints()] == ["step-0000000010"]


@pytest.mark.parametrize("file", ["checkpoint.json", "weights.safetensors", "optimizer.safetensors"])
def test_a_damaged_newest_checkpoint_is_passed_over(folder: RunFolder, file: str) -> None:
    folder.write(checkpoint(1))
    path = folder.write(checkpoint(2)) / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = folder.latest()
    assert found is not None
    assert found.step == 1
    (folder.checkpoints()[0] / "weights.safetensors").unlink()
    with pytest.raises(CheckpointError, match="step-0000000002"):
        folder.latest()


def test_a_checkpoint_of_other_data_or_another_model_is_refused_not_passed_over(folder: RunFolder) -> None:
    folder.write(checkpoint(1))
    folder.write(dataclasses.replace(checkpoint(2), dataset_digest="other"))
    with pytest.raises(MismatchError, match="another dataset"):
        folder.latest(dataset_digest="d")
    with pytest.raises(MismatchError, match="another model"):
        folder.latest(model="n")


def test_one_owner_at_a_time(folder: RunFolder) -> None:
    folder.own()
    other = RunFolder.open(folder.path)
    with pytest.raises(UsageError, match=f"got: +process {os.getpid()}"):
        other.own()
    folder.release()
    other.own()
    other.release()


@pytest.mark.slow
def test_the_end_of_the_owning_process_frees_the_run(folder: RunFolder) -> None:
    program = (
        "import sys; from pathlib import Path; from millrace.runs.folder import RunFolder;"
        "mine = RunFolder.open(Path(sys.argv[1])); mine.own(); print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as own:
        assert own.stdout is not None
        assert own.stdout.readline() == b"mine\n"
        with pytest.raises(UsageError, match=f"process {own.pid}"):
            folder.own()
        own.kill()
        own.wait(30)
    folder.own()
    folder.release()


def taken_over(folder: RunFolder) -> None:
    """Another machine's driver takes the run, as one does that has not heard of this one for long."""
    owner = folder.last_owner()
    assert owner is not None
    other = dataclasses.replace(owner.process, host="elsewhere", boot="another boot")
    claim = dataclasses.replace(owner, incarnation=owner.incarnation + 1, process=other)
    (folder.path / claim.name).write_bytes(claim.to_json())


def test_a_driver_that_has_lost_the_run_writes_nothing_more(folder: RunFolder) -> None:
    folder.own()
    assert folder.incarnation == 1
    folder.write(checkpoint(1))
    taken_over(folder)
    before = sorted(folder.path.rglob("*"))
    for write in (
        lambda: folder.write(checkpoint(2)),
        lambda: folder.write_best(checkpoint(2)),
        lambda: folder.finish({}),
        folder.check_owner,
    ):
        with pytest.raises(TakenOverError, match="elsewhere"):
            write()
    assert folder.lost
    folder.release()
    assert sorted(folder.path.rglob("*")) == before


def test_another_machine_that_shares_the_disk_is_refused(folder: RunFolder) -> None:
    folder.own()
    taken_over(folder)
    folder.release()
    with pytest.raises(UsageError, match="another driver trains the run"):
        folder.own()
    assert (folder.incarnation, folder.incidents.exists()) == (0, False)


def test_a_driver_that_was_killed_is_told_of_and_one_that_stopped_is_not(folder: RunFolder) -> None:
    folder.own()
    folder.release()
    folder.own()
    assert not folder.incidents.exists()
    folder.write(checkpoint(7))
    killed = folder.last_owner()
    folder.release()
    assert killed is not None
    (folder.path / killed.name).write_bytes(killed.to_json())
    folder.own()
    folder.release()
    line = json.loads(folder.incidents.read_text())
    assert (line["kind"], line["who"], line["step"]) == ("driver went on", "incarnation 3", 7)
    assert str(os.getpid()) in line["cause"]


def test_a_torn_line_of_incidents_is_passed_over(folder: RunFolder) -> None:
    folder.note_incident("worker lost", "worker 1", "node", "killed", 3)
    with folder.incidents.open("ab") as file:
        file.write(b'{"time": 1, "st')
    assert reproducible(folder.incidents)
    folder.note_incident(MIXED, "worker 2", "node", "another CPU", 5)
    assert not reproducible(folder.incidents)
    assert [line["step"] for line in read_lines(folder.incidents)] == [3, 5]


def test_each_checkpoint_is_read_and_digested_once(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        folder.write(checkpoint(step))
    (folder.checkpoints()[1] / "weights.safetensors").write_bytes(b"damaged")
    opened: list[str] = []
    read = Path.read_bytes

    def counted(path: Path) -> bytes:
        opened.append(f"{path.parent.name}/{path.name}")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    found = folder.latest(dataset_digest="d", model="m")
    assert found is not None
    assert found.step == 1
    assert sorted(opened) == sorted(set(opened))
    assert len(opened) == 6


def test_a_file_address_is_a_path(tmp_path: Path) -> None:
    address = f"file://{tmp_path}/run"
    assert not RunFolder.is_run(address)
    folder = RunFolder.create(address, "epochs: 3\n")
    assert (folder.path, folder.location, folder.shared) == (tmp_path / "run", str(tmp_path / "run"), False)
    assert RunFolder.is_run(address)
    assert RunFolder.open(address).config_text() == "epochs: 3\n"


@pytest.mark.parametrize("address", ["s3://key:squeamish@bucket/run", "s3://bucket/run?secret_key=squeamish"])
def test_credentials_in_an_address_are_refused_and_not_shown(address: str) -> None:
    with pytest.raises(UsageError, match="must not hold credentials") as refused:
        RunFolder.create(address, "")
    assert "squeamish" not in str(refused.value)


def test_what_a_killed_process_left_half_written_is_swept_by_the_next_owner(folder: RunFolder) -> None:
    left = folder.path / "checkpoints" / ".step-0000000005.abc.partial"
    left.mkdir()
    (left / "weights.safetensors").write_bytes(b"half")
    best, other = folder.path / ".best.0123456789ab.tmp", folder.path / ".report.html.0123456789ab.tmp"
    best.mkdir()
    other.touch()  # another process may be writing this one
    assert folder.latest() is None
    folder.own()
    folder.release()
    assert [path.exists() for path in (left, best, other)] == [False, False, True]


def test_a_result_without_room_is_an_error_that_says_so(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(CheckpointError, match=r"(?s)disk of the result .*result\.json is full.*resume"):
            folder.finish({"test_accuracy": 0.5})
    assert not folder.finished
    folder.finish({"test_accuracy": 0.5})
    assert folder.finished


def test_the_result_is_the_mark_of_a_finished_run(folder: RunFolder) -> None:
    folder.finish({"test_accuracy": 0.5})
    assert folder.finished
    assert folder.result() == {"test_accuracy": 0.5}
    assert not [name for name in os.listdir(folder.path) if name.endswith((".partial", ".tmp"))]
