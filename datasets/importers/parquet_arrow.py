"""Pictures in the columns of Parquet or Arrow files, as Hugging Face writes them and as people do.

Pictures are read when they are asked for; what is kept of the files until then are the labels.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.datasets.importers.arrow_rows import ArrowRows
from millrace.datasets.importers.arrow_values import faults
from millrace.datasets.importers.found_files import named_classes, stamp, stamp_or_none
from millrace.datasets.importers.inventory import Inventory, Picture, Survey
from millrace.datasets.importers.label_values import NONE, I64Array, counted, labelled
from millrace.datasets.importers.options import Reading
from millrace.datasets.importers.parquet_arrow_files import found_shards, shard_files
from millrace.datasets.importers.parquet_rows import ParquetRows
from millrace.datasets.importers.picture_rows import PictureRows, TableShard, opened
from millrace.datasets.importers.table_columns import Columns, columns, is_text
from millrace.errors import FormatError

kind = "Parquet or Arrow"
PATH = "path"  # the field of a picture that says which file it was, beside its bytes


def claims(path: Path) -> str | None:
    """Why this path is of this kind: from the names of its files alone."""
    found = found_shards(path)
    return f"{found[0]}{f' and {len(found) - 1} more' if len(found) > 1 else ''}" if found else None


def survey(path: Path, reading: Reading) -> Survey:
    """The classes and rows of these files, from their schemas and labels."""
    return PictureColumns(path, reading)


class PictureColumns(Survey):
    """Files of Parquet or Arrow with a column of pictures and one of labels."""

    def __init__(self, path: Path, reading: Reading) -> None:
        files = shard_files(path)
        self._root, self._columns, self._kinds = files.root, None, set()
        ordered = {split: sorted(names, key=lambda name: f"{name}/") for split, names in files.by_split.items()}
        shards = {split: [self._shard(n, reading, files.features) for n in names] for split, names in ordered.items()}
        values = {split: _joined(parts, split) for split, parts in shards.items()}
        names, listed = named_classes(self._root)
        if self._chosen.names is not None:  # a ClassLabel counts from 0
            found = labelled(values, self._chosen.names, 0, str(path))
        else:
            found = labelled(values, names, reading.labels_from, str(path))
        labels, notes = counted(found, reading.skip_bad, str(path))
        stamps = [stamp(self._root / name, name) for name in [*chain(*ordered.values()), *files.beside, *listed]]
        linked = {path for part in shards.values() for shard in part for path in shard.linked or () if path}
        stamps += [stamp_or_none(Path(path), path) for path in linked]
        counts = {s: tuple(np.bincount(v[v >= 0], minlength=len(found.classes)).tolist()) for s, v in labels.items()}
        notes = [*files.notes, *notes, *([f"{len(linked):,} pictures lie in files of their own"] if linked else [])]
        named = " and ".join(sorted(self._kinds))
        super().__init__(Inventory(named, found.classes, counts, tuple(notes), tuple(sorted(stamps))), reading)
        self._parts = {
            split: PictureRows(self._root, self._chosen.image, shards[split], kept) for split, kept in labels.items()
        }

    _columns: Columns | None
    _kinds: set[str]

    @property
    def _chosen(self) -> Columns:
        if self._columns is None:
            raise FormatError("no files", expected="Parquet or Arrow")
        return self._columns

    def _shard(self, name: str, reading: Reading, features: Mapping[str, Any] | None) -> TableShard:
        """What is known of one file; its columns have to be those of the others."""
        file = opened(self._root / name, name)
        self._kinds.add("Parquet" if isinstance(file, ParquetRows) else "Arrow")
        found = columns(file.schema, reading.labels, name, features)
        if self._columns is not None and found != self._columns:
            raise FormatError(f"{name} has other columns, or other classes", expected=self._columns, got=found)
        self._columns = found
        column = file.column(found.label)
        if len(column) != file.rows:
            raise FormatError(f"{name} is damaged", expected=f"{file.rows} labels", got=len(column))
        linked = _linked(file, found, (self._root / name).parent)
        with faults(name):
            column.validate(full=True)
            if is_text(column.type):
                return TableShard(name, column.to_pylist(), linked)
            numbers = column.cast(pa.int64()).fill_null(NONE).to_numpy()
            return TableShard(name, np.asarray(numbers, np.int64), linked)

    def pictures(self, split: str) -> Sequence[Picture]:
        """The pictures of a split, made as they are asked for."""
        return self._parts[split]


def _linked(file: ParquetRows | ArrowRows, found: Columns, folder: Path) -> list[str] | None:
    """Where the pictures lie, if the first one does not lie in the file but at a path: Hugging Face's `to_parquet`
    leaves pictures that came from files where they are. Relative paths start in the folder of the file."""
    kind = file.schema.field(found.image).type
    if not found.nested or kind.get_field_index(PATH) < 0 or not is_text(kind.field(PATH).type):
        return None
    if not file.rows or file.picture(found.image, 0) is not None:
        return None
    paths = file.column(found.image, PATH)
    with faults(file.what):
        paths.validate(full=True)
        return [str(folder / path) if path and "\0" not in path else "" for path in paths.to_pylist()]


def _joined(parts: Sequence[TableShard], split: str) -> I64Array | list[str | None]:
    """The labels of all files of a split."""
    numbers = [part.labels for part in parts if isinstance(part.labels, np.ndarray)]
    texts = [part.labels for part in parts if not isinstance(part.labels, np.ndarray)]
    if numbers and texts:
        raise FormatError(f"{split}: labels are numbers in some files and names in others")
    return np.concatenate(numbers) if numbers else [value for part in texts for value in part]
