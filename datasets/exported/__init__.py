"""Reading exports: a folder of shards and a manifest, written by `pipeline.export`, is a dataset."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.datasets.exported.dataset import (
        ExportedDataset as ExportedDataset,
        ExportSpec as ExportSpec,
        find_export as find_export,
        open_export as open_export,
        open_manifest as open_manifest,
        read_manifest as read_manifest,
    )
    from millrace.datasets.exported.manifest import (
        MANIFEST as MANIFEST,
        VERSION as VERSION,
        Manifest as Manifest,
        Record as Record,
        SplitSize as SplitSize,
    )
    from millrace.datasets.exported.reader import (
        Reader as Reader,
        load as load,
        shard_name as shard_name,
        verified as verified,
    )
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
