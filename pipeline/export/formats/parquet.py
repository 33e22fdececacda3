"""Parquet: images as fixed-shape tensors of uint8, zstd; pyarrow, Ray Data, DuckDB, Polars and pandas read it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from millrace.datasets.exported import PARAMETERS, Rows
from millrace.pipeline.export.formats import Files
from millrace.pipeline.export.formats.columns import BITS, tensor_schema
from millrace.pipeline.export.formats.parquet_file import ParquetFile
from millrace.pipeline.export.plan import Plan, Shard

GROUP = 4096  # rows of a row group: what readers take at once, and divide among their threads
LEVEL = 1
# Bounds of pixels tell nothing; those of ids and labels let readers pass over row groups.
BOUNDED = ("label", "sample", "epoch")


def encode(rows: Rows, plan: Plan, shard: Shard) -> tuple[Sequence[Any], Files]:
    """The shard as the parts of one Parquet file."""
    file = ParquetFile(tensor_schema(rows, plan, shard), LEVEL, f"millrace version {plan.millrace}", BOUNDED)
    for first in range(0, len(rows.labels), GROUP):
        part = rows.part(first, first + GROUP)
        drawn = np.ascontiguousarray(part.parameters.T)
        parameters = [values != 0.0 if name == BITS else values for name, values in zip(PARAMETERS, drawn, strict=True)]
        originals = [] if part.originals is None else [part.originals]
        file.add([part.images, part.labels, part.samples, part.epochs, *parameters, *originals])
    return file.finish(), []
