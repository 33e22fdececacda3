"""Checkpoints on disk: one folder each, written aside, flushed to the disk, then renamed into place."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from millrace.errors import CheckpointError
from millrace.model.checkpoint import DOCUMENT, FILES, Checkpoint, from_files, to_files

PARTIAL = ".partial"  # the ending of folders that are being written, or were when the process was killed


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
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}{PARTIAL}")
    try:
        if _holds(folder, files):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        for name, data in files.items():
            _write(aside / name, data)
        _flush_folder(aside)
        _into_place(aside, folder)
        _flush_folder(folder.parent)
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint {folder} could not be written",
            got=error.strerror or repr(error),
            do="free space on the disk or choose another folder with --out",
        ) from error
    finally:
        # After success there is nothing to remove.
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def load(folder: Path, *, dataset_digest: str | None = None, model: str | None = None) -> Checkpoint:
    """Read and verify the checkpoint in this folder; see `from_files`. Hidden files in it are passed over."""
    folder = Path(folder)
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
        strange = [name for name in names if name not in FILES or not (folder / name).is_file()]
        # Files that do not belong here may be huge: they are named, not read.
        files = {name: b"" if strange else (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint {folder} cannot be read",
            expected=f"a folder with {', '.join(FILES)}",
            got=error.strerror or repr(error),
        ) from error
    if strange:
        raise CheckpointError(
            f"the checkpoint {folder} does not have the files it should",
            expected=", ".join(FILES),
            got=", ".join(sorted(names)),
        )
    try:
        return from_files(files, dataset_digest=dataset_digest, model=model)
    except CheckpointError as error:
        what = f"{folder}: {error.what}"
        raise CheckpointError(what, expected=error.expected, got=error.got, do=error.do) from error


def sweep(parent: Path) -> None:
    """Remove what killed processes left of checkpoints in this folder; call it as the folder's only writer."""
    with contextlib.suppress(OSError):
        for path in list(Path(parent).iterdir()):
            if path.name.startswith(".") and path.name.endswith(PARTIAL):
                shutil.rmtree(path, ignore_errors=True)


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Whether the folder holds exactly these files already."""
    try:
        if (folder / DOCUMENT).read_bytes() != files[DOCUMENT] or len(os.listdir(folder)) != len(files):
            return False
        return all((folder / name).read_bytes() == data for name, data in files.items())
    except OSError:
        return False


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _into_place(aside: Path, folder: Path) -> None:
    """Rename a finished folder; what stood in its place is moved away first, and back if that fails."""
    if not os.path.lexists(folder):
        aside.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}{PARTIAL}")
    folder.rename(old)
    try:
        aside.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink(missing_ok=True)
