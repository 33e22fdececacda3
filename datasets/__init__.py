"""Datasets: bytes on the net become a verified file, a table, a subset, a split.

The front door; everything is imported late, so that listing the datasets is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millrace.datasets.catalogue import find, registry
    from millrace.datasets.download import Progress
    from millrace.datasets.loading import is_cached, load, verify
    from millrace.datasets.spec import DatasetSpec, FileSpec, MemberSpec
    from millrace.datasets.splits import Split, balanced, split
    from millrace.datasets.table import Dataset, images, labels

_HOMES = {
    "Dataset": "table",
    "DatasetSpec": "spec",
    "FileSpec": "spec",
    "MemberSpec": "spec",
    "Progress": "download",
    "Split": "splits",
    "balanced": "splits",
    "find": "catalogue",
    "images": "table",
    "is_cached": "loading",
    "labels": "table",
    "load": "loading",
    "registry": "catalogue",
    "split": "splits",
    "verify": "loading",
}

__all__ = [
    "Dataset",
    "DatasetSpec",
    "FileSpec",
    "MemberSpec",
    "Progress",
    "Split",
    "balanced",
    "find",
    "images",
    "is_cached",
    "labels",
    "load",
    "registry",
    "split",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"millrace.datasets.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
