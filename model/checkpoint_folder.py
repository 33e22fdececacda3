"""Checkpoints on disk: one folder each, whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path

from millrace.errors import CheckpointError
from millrace.model.checkpoint import CHECKPOINT_DOCUMENT, CHECKPOINT_FILES, Checkpoint, from_files, to_files
from millrace.storage import faults, write_folder


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint as this folder, whole or not at all; returns the folder.

    After the return the checkpoint survives a power cut. A folder that already holds the same
    checkpoint is left as it is; another checkpoint or a damaged one in its place is replaced. CheckpointError where the
    disk does not allow it; what was in place stays there then.
    """
    return save_files(folder, to_files(checkpoint))


def save_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """`save` for the files of a checkpoint, whatever is in them."""
    folder = Path(folder)
    do = "free space on the disk or choose another folder with `out`"
    with faults(f"the checkpoint {folder}", "could not be written", CheckpointError, do=do, full=do):
        if not _holds(folder, files):
            write_folder(folder, files)
    return folder


def load(folder: Path, *, dataset_digest: str | None = None, model: str | None = None) -> Checkpoint:
    """Read and verify the checkpoint in this folder; see `from_files`. Hidden files in it are passed over."""
    folder = Path(folder)
    with faults(
        f"the checkpoint {folder}",
        "cannot be read",
        CheckpointError,
        do=f"name a folder with {', '.join(CHECKPOINT_FILES)}",
    ):
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
        unknown = [name for name in names if name not in CHECKPOINT_FILES or not (folder / name).is_file()]
        # Files that do not belong here may be huge: they are named, not read.
        files = {name: b"" if unknown else (folder / name).read_bytes() for name in names}
    if unknown:
        raise CheckpointError(
            f"the checkpoint {folder} does not have the files it should",
            expected=", ".join(CHECKPOINT_FILES),
            got=", ".join(sorted(names)),
        )
    try:
        return from_files(files, dataset_digest=dataset_digest, model=model)
    except CheckpointError as error:
        raise error.within(str(folder)) from error


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Whether the folder holds exactly these files already."""
    try:
        if (folder / CHECKPOINT_DOCUMENT).read_bytes() != files[CHECKPOINT_DOCUMENT] or len(os.listdir(folder)) != len(
            files
        ):
            return False
        return all((folder / name).read_bytes() == data for name, data in files.items())
    except OSError:
        return False
