"""Parquet: images as fixed-shape tensors of uint8, zstd.

Parquet stores a small integer as 32 bits. Split into four streams of bytes (BYTE_STREAM_SPLIT), of which three are
zeros, pixels are compressed quicker and to two thirds of the size; pyarrow, DuckDB, Polars and pandas read it.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets.exported import Rows
from pipeline.export.formats import Files
from pipeline.export.formats.columns import tensor_batch
from pipeline.export.plan import Plan, Shard

GROUP = 4096  # rows of a row group: what readers take at once, and divide among their threads
LEVEL = 1
BATCH = 1 << 16  # values that are encoded at once
PIXELS = ("image.list.element", "original.list.element")


def encode(rows: Rows, plan: Plan, shard: Shard) -> tuple[Sequence[Any], Files]:
    """The shard as one Parquet file."""
    table = pa.Table.from_batches([tensor_batch(rows, plan, shard)])
    pixels = PIXELS if rows.originals is not None else PIXELS[:1]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=GROUP,
        compression="zstd",
        compression_level=LEVEL,
        use_dictionary=False,
        write_batch_size=BATCH,
        # Bounds of pixels tell nothing and cost time; those of ids and labels let readers pass over row groups.
        write_statistics=[name for name in table.schema.names if name not in ("image", "original")],
        column_encoding=dict.fromkeys(pixels, "BYTE_STREAM_SPLIT"),
    )
    return [sink.getvalue()], []
