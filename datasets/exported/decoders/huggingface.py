"""Parquet as Hugging Face's `datasets` has it: images are struct<bytes, path> of PNG."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from millrace.datasets.exported.decoders.png import decode_many
from millrace.datasets.exported.decoders.tables import rows
from millrace.datasets.exported.manifest import Manifest
from millrace.datasets.exported.rows import Rows


def decode(data: pa.Buffer, manifest: Manifest, fetch: Any) -> Rows:
    """The rows of a shard."""
    table = pq.read_table(pa.BufferReader(data), use_threads=False)
    originals = _pixels(table, "original", manifest) if "original" in table.schema.names else None
    return rows(table, _pixels(table, "image", manifest), originals)


def _pixels(table: pa.Table, name: str, manifest: Manifest) -> npt.NDArray[np.uint8]:
    blobs = (value["bytes"].as_py() for value in table.column(name))
    return decode_many(blobs, manifest.shape, table.num_rows)
