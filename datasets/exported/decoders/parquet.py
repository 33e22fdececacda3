"""Parquet with fixed-shape tensors."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.datasets.exported.decoders.tables import tensor_rows
from millrace.datasets.exported.manifest import Manifest
from millrace.datasets.exported.rows import Rows


def decode(data: pa.Buffer, manifest: Manifest, fetch: Any) -> Rows:
    """The rows of a shard."""
    return tensor_rows(pq.read_table(pa.BufferReader(data), use_threads=False), manifest.shape)
