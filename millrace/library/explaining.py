"""One row of an export, drawn again, and its pictures as files."""

import os
from dataclasses import dataclass
from pathlib import Path

from millrace import datasets
from millrace.arguments import path_text
from millrace.datasets import Progress
from millrace.datasets.exported import Manifest, Reader, open_manifest
from millrace.errors import MillraceError, UsageError
from millrace.formats.png import encode_many
from millrace.pipeline.export import Explanation, explain_row
from millrace.reports.words import short
from millrace.settings.layers import Settings
from millrace.storage import Folder, write_whole
from millrace.values import whole


@dataclass(frozen=True)
class ExportedRow:
    """A row of a split of an export, from 0. Errors, when it is made: UsageError where the export has none such."""

    folder: Folder
    manifest: Manifest
    split: str
    row: int

    @classmethod
    def at(cls, location: str | os.PathLike[str], split: str, row: int) -> "ExportedRow":
        """The row in the export of this folder or address."""
        folder, manifest = open_manifest(path_text("folder", location, "a folder or an address"))
        if split not in manifest.splits:
            raise UsageError(f"no split {split!r}", expected=", ".join(manifest.splits), got=split)
        return cls(folder, manifest, split, whole("row", row, 0, manifest.splits[split].rows - 1))

    def explained(self, settings: Settings, progress: Progress | None = None) -> Explanation:
        """What was drawn for it, and whether that is what is stored. The dataset comes from where the settings say."""
        source, place = self.manifest.dataset, settings.place
        spec = datasets.find(str(source["source"]), datasets.reading_kept(source.get("reading")))
        dataset = datasets.load(spec, mirror=place.mirror, offline=place.offline, progress=progress)
        return explain_row(Reader(self.folder, self.manifest), dataset, self.split, self.row)

    def write_pictures(self, found: Explanation, out: Path) -> tuple[Path, Path]:
        """Write the original and what was made of it as PNG files into a folder. Errors: UsageError where they are no
        pictures, MillraceError where they cannot be written."""
        stem = f"{self.split}-{self.row}"
        paths = out / f"{stem}-original.png", out / f"{stem}-augmented.png"
        try:
            for path, pixels in zip(paths, (found.original, found.made), strict=True):
                if len(pixels) not in (1, 3):
                    raise UsageError("no picture", expected="1 or 3 channels", got=len(pixels))
                write_whole(path, encode_many(pixels[None])[0])
        except OSError as error:
            raise MillraceError(f"cannot write to {out}", got=error.strerror, do="choose another `out`") from error
        return paths


def folder_for_pictures(out: str) -> Path:
    """The folder of this name, before any work is done. Errors: UsageError where there is none."""
    target = Path(os.path.expanduser(out))
    if not target.is_dir():
        raise UsageError(f"there is no folder {out}", do=f"mkdir -p {short(target)}")
    return target
