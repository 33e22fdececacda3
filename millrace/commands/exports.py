"""Exports, as commands that read them find them."""

from millrace.datasets.exported import MANIFEST, Manifest
from millrace.datasets.exported.dataset import read_manifest
from millrace.errors import DataError, UsageError
from millrace.storage.folder import ASIDE, Folder


def open_manifest(where: str) -> tuple[Folder, Manifest]:
    """The folder and the manifest of a finished export. DataError where it is unfinished or none lies there."""
    folder = Folder(where)
    manifest = read_manifest(folder)
    if manifest is not None:
        return folder, manifest
    begun = any(name.startswith(ASIDE) for name in folder.names(deep=False))
    if not begun:
        raise UsageError(
            f"no export in {folder.location}", expected=f"a folder with {MANIFEST}", do="look at the path once more"
        )
    raise DataError(
        f"the export in {folder.location} is not finished",
        expected=MANIFEST,
        got="an export that was begun",
        do="give the command that began it again: it goes on where it stopped",
    )
