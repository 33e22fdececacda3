"""An export as a dataset: `--dataset DIR` trains on the rows that stand there, in their order."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from millrace.datasets.arrays import Arrays
from millrace.datasets.exported.manifest import LARGEST, MANIFEST, Manifest
from millrace.datasets.exported.reader import Reader
from millrace.datasets.spec import DatasetSpec
from millrace.datasets.table import Dataset, in_memory
from millrace.errors import DataError, FormatError, UsageError
from millrace.formats.rows import Rows
from millrace.storage import HIDDEN, Folder

FORMAT = "export"


@dataclass(frozen=True)
class ExportSpec(DatasetSpec):
    """The specification of an export: where it lies, and its manifest."""

    location: str = ""
    manifest: Manifest | None = field(default=None, repr=False)

    def described(self, shape: tuple[int, int, int]) -> dict[str, Any]:
        """As `DatasetSpec.described`, with how the pictures of the dataset that was exported were read."""
        reading = self.manifest.dataset.get("reading") if self.manifest is not None else None
        return super().described(shape) | ({"reading": reading} if reading else {})


@dataclass(frozen=True)
class ExportedDataset(Dataset):
    """An export, opened. Its training table holds the first epoch's rows as they are stored (augmented, in stream
    order), then the validation split; later epochs are read from the shards when they are needed.

    statistics: mean and deviation per channel of the untouched training pixels, which the network's inputs are
    normalised with. Ids of samples are those of the dataset that was exported.
    """

    reader: Reader

    @property
    def manifest(self) -> Manifest:
        """The manifest that the rows were read by."""
        return self.reader.manifest

    @property
    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel, in units of full brightness."""
        dataset = self.manifest.dataset
        return tuple(dataset["mean"]), tuple(dataset["deviation"])


def find_export(name: str) -> ExportSpec:
    """The export in this folder or at this address. UsageError where none is, FormatError for a damaged manifest."""
    folder = Folder(name)
    manifest = read_manifest(folder)
    if manifest is None:
        raise UsageError(
            "a folder without an export is not a dataset",
            expected=f"a name, a dataset file (YAML), or the folder of a finished export, with {MANIFEST}",
            got=folder.location,
        )
    dataset = manifest.dataset
    return ExportSpec(
        name=str(dataset["name"]),
        title=f"export of {dataset['name']}: {manifest.splits['train'].rows:,} rows",
        format=FORMAT,
        classes=manifest.classes,
        policy="none",
        licence=str(dataset.get("licence", "")),
        homepage=str(dataset.get("homepage", "")),
        shape=manifest.shape,
        prepare=manifest.prepare,
        location=folder.location,
        manifest=manifest,
    )


def read_manifest(folder: Folder) -> Manifest | None:
    """The manifest of a folder; None where there is none."""
    size = folder.size(MANIFEST)
    if size is None:
        return None
    path = f"{folder.location}/{MANIFEST}"
    if size > LARGEST:
        raise FormatError(f"{path} is too large", expected=f"at most {LARGEST} bytes", got=size)
    with folder.faults("cannot be read"):
        return Manifest.from_json(folder.read(MANIFEST).to_pybytes(), path)


def open_manifest(location: str) -> tuple[Folder, Manifest]:
    """The folder and the manifest of a finished export. DataError where it is unfinished, UsageError where none is."""
    folder = Folder(location)
    manifest = read_manifest(folder)
    if manifest is not None:
        return folder, manifest
    if not any(name.startswith(HIDDEN) for name in folder.names(deep=False)):
        raise UsageError(
            f"no export in {folder.location}", expected=f"a folder with {MANIFEST}", do="look at the path once more"
        )
    raise DataError(
        f"the export in {folder.location} is not finished",
        expected=MANIFEST,
        got="an export that was begun",
        do="give the command that began it again: it goes on where it stopped",
    )


def open_export(spec: DatasetSpec) -> ExportedDataset:
    """The dataset that the export holds. Errors: DataError for a damaged or missing shard."""
    if not isinstance(spec, ExportSpec) or spec.manifest is None:
        raise DataError(f"dataset {spec.name} is no export", got=spec.format)
    manifest = spec.manifest
    reader = Reader(Folder(spec.location), manifest)
    first = reader.rows("train", 0, manifest.splits["train"].per_epoch)
    held = _all(reader, "validation")
    test = _all(reader, "test")
    training = [first] if held is None else [first, held]
    arrays = Arrays.untested(
        np.concatenate([rows.images for rows in training]), np.concatenate([rows.labels for rows in training])
    )
    if test is not None:
        images, labels = np.ascontiguousarray(test.images), np.ascontiguousarray(test.labels)
        arrays = replace(arrays, test_images=images, test_labels=labels)
    made = in_memory(arrays, spec)
    return ExportedDataset(spec, made.train, made.test, manifest.digest, reader)


def _all(reader: Reader, split: str) -> Rows | None:
    """All rows of a split that is passed over once; None where it has none."""
    size: Any = reader.manifest.splits.get(split)
    return reader.rows(split, 0, size.rows) if size is not None and size.rows else None
