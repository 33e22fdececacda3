"""Which importer takes a path: exactly one must claim it."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

from millrace.datasets.importers.folder_structure import SUFFIXES
from millrace.datasets.importers.found_files import listed_once
from millrace.datasets.importers.inventory import Survey, shown_name
from millrace.datasets.importers.options import Reading
from millrace.errors import DataError, FormatError, UsageError

# Modules with `kind`, `claims(path)` and `survey(path, reading)`; each says in a few words what it takes.
IMPORTERS: Mapping[str, str] = {
    "class_folders": "a folder with a folder of pictures for each class, also within train, test or val",
    "npz_file": "an .npz file with x_train, y_train …, train_images, train_labels …, or images and labels",
    "npy_files": "a folder of .npy files with such names, or the beginning of their names",
    "idx_files": "a folder of IDX files: train-images-idx3-ubyte, train-labels-idx1-ubyte …, packed or not",
    "listed_pictures": "a folder of pictures with metadata.csv or metadata.jsonl: file_name and a column of labels",
    "parquet_arrow": "Parquet or Arrow with a column of encoded pictures and one of labels, alone or in shards",
    "webdataset": "tar files with KEY.jpg (.png, .webp …) and KEY.cls, alone or in shards",
}


def importers() -> list[ModuleType]:
    """All importers, in the order of the table."""
    return [import_module(f"millrace.datasets.importers.{name}") for name in IMPORTERS]


def importer_of(path: Path) -> ModuleType:
    """The importer that claims this path. FormatError where none does, UsageError where several do."""
    try:
        # Also of a path that is not there: it may be the beginning of several files' names.
        with listed_once():
            claims = {module: claim for module in importers() if (claim := module.claims(path)) is not None}
        if not claims and not path.exists():
            raise UsageError("no such file or folder", got=path, do="look at the path once more")
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(claims) == 1:
        return next(iter(claims))
    if claims:
        choices = "\n            ".join(f"{module.kind}: {claim}" for module, claim in claims.items())
        raise UsageError(
            f"{path} can be understood in several ways",
            expected="files of one kind",
            got=choices,
            do="give the path of what is meant within it, or move the other files away",
        )
    taken = "\n            ".join(IMPORTERS.values())
    raise FormatError(
        f"{path} is not understood as a dataset",
        expected=taken,
        got=_instead(path),
        do="see datasets/README.md; a dataset file (YAML) says what cannot be seen",
    )


def _instead(path: Path) -> str:
    """What lies at a path that nobody claims, in words."""
    if not path.is_dir():
        return "another file"
    names = sorted(one.name for one in path.iterdir())
    loose = [name for name in names if name.lower().endswith(SUFFIXES)]
    if loose:
        return f"{len(loose):,} pictures that lie in no folder of a class, such as {loose[0]}"
    return "a folder without these" if names else "an empty folder"


def survey(path: Path, reading: Reading) -> Survey:
    """What lies at this path. Errors: as `importer_of`; DataError for files that cannot be read."""
    try:
        found: Survey = importer_of(path).survey(path, reading)
    except OSError as error:
        raise _unreadable(path, error) from error
    return found


def _unreadable(path: Path, error: OSError) -> DataError:
    """The error that names the file or folder which cannot be read, as far as the system says which."""
    named = error.filename if isinstance(error.filename, str) else str(path)
    return DataError(f"{shown_name(named)} cannot be read", got=error.strerror or error)
