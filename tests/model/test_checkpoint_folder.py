"""Folders of checkpoints: whole or not at all, and clear words about what is wrong."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from millrace.errors import CheckpointError
from millrace.model.checkpoint import CHECKPOINT_FILES, WEIGHTS, Checkpoint, to_files
from millrace.model.checkpoint_folder import load, save, save_files
from millrace.model.inputs import Inputs
from millrace.storage.files import sweep


def _checkpoint(step: int) -> Checkpoint:
    weights = np.arange(5, dtype=np.float32) + step
    return Checkpoint(step, weights, {"v": -weights}, {"seed": 1}, "digest", "4-1 relu", Inputs.unit(1), {})


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    folder = save(tmp_path / "run" / "step-3", _checkpoint(3))
    assert sorted(os.listdir(folder)) == sorted(CHECKPOINT_FILES)
    assert os.listdir(folder.parent) == ["step-3"]
    back = load(folder, dataset_digest="digest", model="4-1 relu")
    assert back.step == 3
    assert back.weights.tolist() == [3, 4, 5, 6, 7]


def test_files_are_kept_as_they_come(tmp_path: Path) -> None:
    files = {**to_files(_checkpoint(3)), WEIGHTS: b"damaged"}
    folder = save_files(tmp_path / "c", files)
    assert {name: (folder / name).read_bytes() for name in os.listdir(folder)} == files
    with pytest.raises(CheckpointError, match="damaged"):
        load(folder)
    assert save_files(folder, to_files(_checkpoint(3))) == folder
    assert load(folder).step == 3


def test_the_same_again_leaves_the_folder_alone(tmp_path: Path) -> None:
    folder = save(tmp_path / "c", _checkpoint(3))
    before = folder.stat().st_ino
    save(folder, _checkpoint(3))
    assert folder.stat().st_ino == before


def test_another_or_damaged_checkpoint_is_replaced(tmp_path: Path) -> None:
    folder = save(tmp_path / "c", _checkpoint(3))
    save(folder, _checkpoint(4))
    assert load(folder).step == 4
    (folder / WEIGHTS).write_bytes(b"")
    save(folder, _checkpoint(4))
    assert load(folder).step == 4
    (tmp_path / "d").write_text("a file in its place")
    save(tmp_path / "d", _checkpoint(5))
    assert load(tmp_path / "d").step == 5
    assert sorted(os.listdir(tmp_path)) == ["c", "d"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "c", _checkpoint(3))
    calls = [0]

    def full(handle: int) -> None:
        calls[0] += 1
        if calls[0] % 2 == 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for name in ("c", "d"):
        with pytest.raises(CheckpointError, match="No space left"):
            save(tmp_path / name, _checkpoint(4))
    assert os.listdir(tmp_path) == ["c"]
    assert load(tmp_path / "c").step == 3


def test_when_the_last_rename_fails_the_old_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save(tmp_path / "c", _checkpoint(3))
    renamed, calls = Path.rename, []

    def rename(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(CheckpointError, match="Input/output error"):
        save(folder, _checkpoint(4))
    assert load(folder).step == 3
    assert os.listdir(tmp_path) == ["c"]


def test_leftovers_of_killed_processes_are_harmless_and_can_be_swept(tmp_path: Path) -> None:
    left = tmp_path / ".c.0123456789ab.partial"
    left.mkdir()
    (left / WEIGHTS).write_bytes(b"half")
    save(tmp_path / "c", _checkpoint(3))
    assert load(tmp_path / "c").step == 3
    sweep(tmp_path)
    assert os.listdir(tmp_path) == ["c"]


def test_folders_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path / "missing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="files it should"):
        load(tmp_path / "empty")


def test_unknown_members_are_named_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    folder = save(tmp_path / "c", _checkpoint(3))
    (folder / ".DS_Store").write_bytes(b"x")
    assert load(folder).step == 3
    (folder / "model.pkl").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"model\.pkl"):
        load(folder)
    (folder / "model.pkl").unlink()
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).mkdir()
    with pytest.raises(CheckpointError, match="files it should"):
        load(folder)


def test_damage_is_reported_with_the_folder(tmp_path: Path) -> None:
    folder = save(tmp_path / "c", _checkpoint(3))
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-1])
    with pytest.raises(CheckpointError, match=rf"{WEIGHTS}") as caught:
        load(folder)
    assert str(folder) in str(caught.value)
    assert f"{len(data) - 1} bytes" in str(caught.value)
