"""The files of a dataset in Parquet or Arrow, by split, and what lies beside them about their columns.

Three layouts: one file; a folder of shards (`data/train-00000-of-00003.parquet`, as on Hugging Face's hub, or
`NAME-train.arrow`, as in its cache); what `save_to_disk` of its `datasets` wrote (state.json, in a folder for each
split beside dataset_dict.json where there are several).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.datasets.importers.found_files import files_below, one_home
from millrace.datasets.importers.inventory import TRAIN, split_of
from millrace.datasets.importers.shard_names import by_split
from millrace.errors import FormatError

ENDINGS = (".parquet", ".pq", ".arrow", ".feather", ".ipc")
PASSED = ("metadata.parquet",)  # lies beside pictures in a folder
CACHED = "cache-"  # what `datasets` keeps of its own computations begins so
DICTIONARY, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"
LARGEST = 16 << 20


@dataclass(frozen=True)
class ShardFiles:
    """by_split: POSIX paths within `root` for each split; beside: further files that say what they hold; features:
    their columns as `datasets` describes them, None where they do it themselves; notes: what was passed over."""

    root: Path
    by_split: Mapping[str, list[str]]
    beside: tuple[str, ...] = ()
    features: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


def found_shards(path: Path) -> list[str]:
    """The files in Parquet or Arrow at this path."""
    if not path.is_dir():
        return [path.name] if path.is_file() and path.name.lower().endswith(ENDINGS) else []
    found = files_below(path, ENDINGS, PASSED)
    return [name for name in found if not name.rpartition("/")[2].startswith(CACHED)]


def shard_files(path: Path) -> ShardFiles:
    """The files of the dataset at this path. Errors: FormatError, UsageError where there are several datasets,
    DataError where shards are missing."""
    if not path.is_dir():
        return ShardFiles(path.parent, {TRAIN: [path.name]})
    if (path / DICTIONARY).is_file():
        return _dictionary(path)
    if (path / STATE).is_file():
        return _saved(path, "")
    names = found_shards(path)
    one_home(names, str(path))
    notes: tuple[str, ...] = ()
    if kept := [name for name in files_below(path, ENDINGS, PASSED) if name not in names]:
        notes = (f"{len(kept)} files {CACHED}… of Hugging Face's cache: passed over",)
    return ShardFiles(path, by_split(names, str(path)), notes=notes)


def _dictionary(path: Path) -> ShardFiles:
    """A folder with a folder for each split, as `DatasetDict.save_to_disk` writes it."""
    names = _read(path / DICTIONARY).get("splits")
    if not isinstance(names, list) or not all(isinstance(name, str) and _plain(name) for name in names):
        raise FormatError(f"{path / DICTIONARY} lists no splits", got=repr(names)[:100])
    known = {split: name for name in names if (split := split_of(name)) is not None}
    others = sorted(set(names) - set(known.values()))
    if not known:
        raise FormatError(f"{path} has no splits", expected="train, validation, test", got=", ".join(names) or "none")
    parts = [_saved(path / name, f"{name}/") for name in known.values()]
    return ShardFiles(
        path,
        {split: next(iter(part.by_split.values())) for split, part in zip(known, parts, strict=True)},
        (DICTIONARY, *(name for part in parts for name in part.beside)),
        next((part.features for part in parts if part.features), None),
        tuple(f"{name}/ is neither train, validation nor test: passed over" for name in others),
    )


def _saved(path: Path, within: str) -> ShardFiles:
    """One dataset as `save_to_disk` writes it. within: what leads to it from the dataset's folder."""
    state = _read(path / STATE)
    listed = state.get("_data_files")
    named = [one.get("filename") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    names = [name for name in named if isinstance(name, str) and _plain(name)]
    if not names or len(names) < len(named):
        raise FormatError(f"{path / STATE} lists no files", got=repr(listed)[:100])
    if state.get("_indices_data_files"):
        raise FormatError(
            f"{path} keeps an order of its own beside its rows",
            do="save it again with Hugging Face's datasets: flatten_indices().save_to_disk(…)",
        )
    split = split_of(str(state.get("_split") or "")) or TRAIN
    beside, features = [STATE], None
    if (path / INFO).is_file():
        beside.append(INFO)
        found = _read(path / INFO).get("features")
        features = found if isinstance(found, dict) else None
    return ShardFiles(
        path, {split: [within + name for name in names]}, tuple(within + name for name in beside), features
    )


def _plain(name: str) -> bool:
    """Whether it is the name of a file or folder here, not a path elsewhere."""
    return bool(name) and "/" not in name and "\\" not in name and name not in (".", "..") and "\0" not in name


def _read(path: Path) -> dict[str, Any]:
    """A small file of JSON. FormatError where it is none."""
    if not path.is_file():
        raise FormatError(f"{path} is missing", expected="a file that Hugging Face's datasets wrote")
    if (size := path.stat().st_size) > LARGEST:
        raise FormatError(f"{path} is too large", expected=f"at most {LARGEST:,} bytes", got=size)
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is no JSON", got=error) from error
    if not isinstance(found, dict):
        raise FormatError(f"{path} is not a description of a dataset", got=type(found).__name__)
    return found
