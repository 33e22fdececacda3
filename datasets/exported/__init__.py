"""Reading exports: a folder of shards and a manifest, written by `pipeline.export`, is a dataset."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millrace.datasets.exported.dataset import ExportedDataset, ExportSpec, find_export, open_export
    from millrace.datasets.exported.manifest import MANIFEST, Manifest, Record, SplitSize
    from millrace.datasets.exported.reader import Reader
    from millrace.datasets.exported.rows import PARAMETERS, Rows, pixel_digest

_HOMES = {
    "MANIFEST": "manifest",
    "PARAMETERS": "rows",
    "ExportSpec": "dataset",
    "ExportedDataset": "dataset",
    "Manifest": "manifest",
    "Reader": "reader",
    "Record": "manifest",
    "Rows": "rows",
    "SplitSize": "manifest",
    "find_export": "dataset",
    "open_export": "dataset",
    "pixel_digest": "rows",
}

__all__ = [
    "MANIFEST",
    "PARAMETERS",
    "ExportSpec",
    "ExportedDataset",
    "Manifest",
    "Reader",
    "Record",
    "Rows",
    "SplitSize",
    "find_export",
    "open_export",
    "pixel_digest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"millrace.datasets.exported.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
