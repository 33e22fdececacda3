"""Pictures in tar files as WebDataset has them: alone, in shards, in a folder, or `train-{000000..000009}.tar`.

The archives are passed over once for names and labels; a picture is read at its place when it is asked for.
"""

from array import array
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from millrace.datasets.importers.found_files import files_below, named_classes, one_home, stamp
from millrace.datasets.importers.inventory import TRAIN, Inventory, Picture, Survey
from millrace.datasets.importers.label_values import NONE, I64Array, counted, labelled
from millrace.datasets.importers.lazy_pictures import MOST_BYTES, FileSlice, LazyPictures
from millrace.datasets.importers.options import Reading
from millrace.datasets.importers.shard_names import by_split, expanded
from millrace.datasets.importers.tar_samples import PICTURES, LabelPlace, samples
from millrace.errors import FormatError, UsageError

kind = "WebDataset"
ENDINGS = (".tar",)
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def claims(path: Path) -> str | None:
    """Why this path is of this kind: from the names of its files alone."""
    if path.is_dir():
        found = files_below(path, ENDINGS + PACKED)
    else:
        fits = path.name.lower().endswith(ENDINGS + PACKED)
        found = [path.name] if fits and (path.is_file() or expanded(path.name) != [path.name]) else []
    return f"{found[0]}{f' and {len(found) - 1} more' if len(found) > 1 else ''}" if found else None


def survey(path: Path, reading: Reading) -> Survey:
    """The classes and samples in these archives, from their headers and labels."""
    return TarPictures(path, reading)


class TarPictures(Survey):
    """Tar files with a picture and a label for each sample."""

    def __init__(self, path: Path, reading: Reading) -> None:
        root, files = _files(path)
        place = LabelPlace(reading.labels)
        indexes = {
            split: [TarIndex(root, name, place) for name in sorted(names, key=lambda one: f"{one}/")]
            for split, names in files.items()
        }
        every = {split: [label for one in parts for label in one.labels] for split, parts in indexes.items()}
        if all(label is None for part in every.values() for label in part):
            raise FormatError(
                f"{path} holds no samples with a label",
                expected=f"members KEY.jpg (or .{', .'.join(PICTURES[2:4])} …) and KEY.cls",
                got=f"{sum(map(len, every.values())):,} pictures without one",
                do="each picture has to be followed by its label; if folders of pictures lie in it, unpack it",
            )
        values = {split: _values(part) for split, part in every.items()}
        names, listed = named_classes(root)
        found = labelled(values, names, reading.labels_from, str(path))
        labels, notes = counted(found, reading.skip_bad, str(path))
        stamps = sorted(stamp(root / name, name) for name in [*chain(*files.values()), *listed])
        counts = {s: tuple(np.bincount(v[v >= 0], minlength=len(found.classes)).tolist()) for s, v in labels.items()}
        super().__init__(Inventory(kind, found.classes, counts, tuple(notes), tuple(stamps)), reading)
        self._parts = {split: Members(indexes[split], kept) for split, kept in labels.items()}

    def pictures(self, split: str) -> Sequence[Picture]:
        """The pictures of a split, made as they are asked for."""
        return self._parts[split]


class TarIndex:
    """The samples of one archive, sorted by name. FormatError where it is damaged or has a name twice."""

    def __init__(self, root: Path, name: str, place: LabelPlace) -> None:
        self.name, self.path = name, str(root / name)
        found = sorted(samples(root / name, name, place), key=lambda sample: sample.name)
        self.names = [sample.name for sample in found]
        self.labels = [sample.label for sample in found]
        self.offsets = array("q", (sample.offset for sample in found))
        self.sizes = array("q", (sample.size for sample in found))
        twice = next((a for a, b in zip(self.names, self.names[1:], strict=False) if a == b), None)
        if twice is not None:
            raise FormatError(f"{name} holds a member twice", got=ascii(twice))


class Members(LazyPictures):
    """The labelled samples of some archives as pictures, named ARCHIVE/MEMBER."""

    def __init__(self, archives: Sequence[TarIndex], labels: I64Array) -> None:
        super().__init__(labels)
        self._archives = archives
        self._starts = np.cumsum([0, *(len(archive.names) for archive in archives)])

    def at(self, row: int, label: int) -> Picture:
        place = int(np.searchsorted(self._starts, row, side="right")) - 1
        archive, within = self._archives[place], row - int(self._starts[place])
        count = min(archive.sizes[within], MOST_BYTES + 1)
        read = FileSlice(archive.path, archive.offsets[within], count)
        return Picture(f"{archive.name}/{archive.names[within]}", label, read)


def _files(path: Path) -> tuple[Path, dict[str, list[str]]]:
    """The folder that names are told from, and the archives by split."""
    if path.is_dir():
        names = files_below(path, ENDINGS + PACKED)
        one_home(names, str(path))
        root, found = path, by_split(names, str(path))
    else:
        names = expanded(path.name)
        root, found = path.parent, {TRAIN: names}
        if missing := [name for name in names if not (root / name).is_file()]:
            raise UsageError(f"{path}: no such file", expected=f"{len(names)} files", got=f"{missing[0]} is not there")
    if packed := [name for name in names if not name.lower().endswith(ENDINGS)]:
        raise FormatError(
            f"{path}: a compressed archive has no place to read a picture from",
            expected=".tar",
            got=packed[0],
            do="unpack the compression: gunzip FILE.tar.gz",
        )
    return root, found


def _values(labels: list[int | str | None]) -> I64Array | list[str | None]:
    """The labels of a split as numbers, where all are; else as names."""
    if not any(isinstance(label, str) for label in labels):
        return np.array([NONE if label is None else int(label) for label in labels], np.int64)
    return [None if label is None else str(label) for label in labels]
