"""Parquet: images as fixed-shape tensors of uint8, zstd; pyarrow, Ray Data, DuckDB, Polars and pandas read it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from millrace.formats.parquet_file import ParquetFile
from millrace.formats.rows import BITS, PARAMETERS, Rows
from millrace.formats.shards import Fetch, Files, ShardInfo
from millrace.formats.tables import tensor_rows, tensor_schema

GROUP = 4096  # rows of a row group: what readers take at once, and divide among their threads
LEVEL = 1
# Bounds of pixels are of no use; those of ids and labels let readers pass over row groups.
BOUNDED = ("label", "sample", "epoch")


def encode(rows: Rows, info: ShardInfo) -> tuple[Sequence[Any], Files]:
    """The shard as the parts of one Parquet file."""
    file = ParquetFile(tensor_schema(rows, info), LEVEL, f"millrace version {info.millrace}", BOUNDED)
    for first in range(0, len(rows.labels), GROUP):
        part = rows.part(first, first + GROUP)
        drawn = np.ascontiguousarray(part.parameters.T)
        parameters = [values != 0.0 if name == BITS else values for name, values in zip(PARAMETERS, drawn, strict=True)]
        originals = [] if part.originals is None else [part.originals]
        file.add([part.images, part.labels, part.samples, part.epochs, *parameters, *originals])
    return file.finish(), []


def decode(data: pa.Buffer, info: ShardInfo, fetch: Fetch) -> Rows:
    """The rows of a shard."""
    return tensor_rows(pq.read_table(pa.BufferReader(data), use_threads=False), info)
