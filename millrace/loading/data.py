"""What may be streamed: the name of a dataset, a path, a pair of arrays or a dataset that is open."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from millrace.arguments import path_text
from millrace.datasets import Dataset, Reading, find, load, named
from millrace.errors import UsageError
from millrace.loading.pair import dataset_of
from millrace.pipeline import Policy, from_mapping, preset
from millrace.values import convert, from_text

AUTO = "auto"


def opened(
    data: Any,
    split: str,
    *,
    mirror: str | None,
    offline: bool | None,
    cache: str | Path | None,
    reading: Mapping[str, Any] = MappingProxyType({}),
) -> Dataset:
    """The dataset that `data` stands for: a name, a path, (images, labels) or a Dataset. What is None is as
    MILLRACE_MIRROR and MILLRACE_OFFLINE say, if they do. reading: fields of a `Reading`, for paths and
    arrays.

    Errors: UsageError for what is none of these, and what `datasets.find` and `datasets.load` raise.
    """
    asked = Reading(**reading)
    if isinstance(data, Dataset):
        if asked != Reading():
            raise UsageError("only files and arrays of one's own are read in ways to choose", got=", ".join(reading))
        return data
    if isinstance(data, (str, os.PathLike)):
        found = find(named(data), asked)
        mirror = convert(str | None, mirror, "mirror") or from_text(
            str | None, os.environ.get("MILLRACE_MIRROR", ""), "MILLRACE_MIRROR"
        )
        if offline is None:
            offline = from_text(bool, os.environ.get("MILLRACE_OFFLINE") or "false", "MILLRACE_OFFLINE")
        # Absolute: the tables are found again from elsewhere.
        kept = None if cache is None else Path(os.path.abspath(os.path.expanduser(path_text("cache", cache))))
        return load(found, mirror=mirror, offline=offline, cache=kept)
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return dataset_of(data[0], data[1], split, asked)
    raise UsageError(
        "this cannot be streamed",
        expected="the name of a dataset, a path, (images, labels) as arrays, or a Dataset",
        got=type(data).__name__,
    )


def policy_of(given: Any, dataset: Dataset, split: str) -> Policy:
    """The policy that is meant by a name, a mapping or a Policy; `auto` is the dataset's own for the training split,
    none for the others."""
    if isinstance(given, Policy):
        return given
    if isinstance(given, Mapping):
        return from_mapping(given)
    if not isinstance(given, str):
        raise UsageError("this is no policy", expected="a name, a Policy, or a mapping of its fields", got=repr(given))
    if given == AUTO:
        return preset(dataset.spec.policy if split == "train" else "none")
    return preset(given)
