"""Parquet as Hugging Face's `datasets` reads it: images struct<bytes, path> of PNG, label a ClassLabel."""

import json
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from millrace.datasets.exported import PARAMETERS, Rows
from millrace.pipeline.export.formats import Files
from millrace.pipeline.export.formats.columns import BITS, plain, told
from millrace.pipeline.export.formats.png import encode_many
from millrace.pipeline.export.plan import Plan, Shard

IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
GROUP = 1024  # rows of a row group: the hub's viewer wants them small


def encode(rows: Rows, plan: Plan, shard: Shard) -> tuple[Sequence[Any], Files]:
    """The shard as one Parquet file."""
    arrays, fields = plain(rows, pa.int64())
    arrays, fields = [_images(rows.images), *arrays], [pa.field("image", IMAGE), *fields]
    if rows.originals is not None:
        arrays.append(_images(rows.originals))
        fields.append(pa.field("original", IMAGE))
    metadata = {b"huggingface": features(plan), b"millrace": told(plan, shard)}
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(arrays, schema=pa.schema(fields, metadata=metadata)),
        sink,
        row_group_size=GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=["label", "sample", "epoch"],
    )
    return [sink.getvalue()], []


def features(plan: Plan) -> bytes:
    """The description of the columns that `datasets` looks for in the schema's metadata."""
    found: dict[str, Any] = {"image": {"_type": "Image"}}
    found["label"] = {"names": list(plan.classes), "_type": "ClassLabel"}
    found["sample"] = {"dtype": "int64", "_type": "Value"}
    found["epoch"] = {"dtype": "int32", "_type": "Value"}
    for name in PARAMETERS:
        found[name] = {"dtype": "bool" if name == BITS else "float32", "_type": "Value"}
    if plan.options.originals:
        found["original"] = {"_type": "Image"}
    return json.dumps({"info": {"features": found}}).encode()


def _images(images: npt.NDArray[Any]) -> pa.Array:
    paths = pa.nulls(len(images), pa.string())
    return pa.StructArray.from_arrays([pa.array(encode_many(images), pa.binary()), paths], fields=list(IMAGE))
