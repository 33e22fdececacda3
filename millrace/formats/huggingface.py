"""Parquet as Hugging Face's `datasets` reads it: images struct<bytes, path> of PNG, label a ClassLabel."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from millrace.formats.png import decode_many, encode_many
from millrace.formats.rows import BITS, PARAMETERS, Rows
from millrace.formats.shards import Fetch, Files, ShardInfo
from millrace.formats.tables import metadata, plain, rows_of

IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
GROUP = 1024  # rows of a row group: the hub's viewer wants them small


def encode(rows: Rows, info: ShardInfo) -> tuple[Sequence[Any], Files]:
    """The shard as one Parquet file."""
    arrays, fields = plain(rows, pa.int64())
    arrays, fields = [_images(rows.images), *arrays], [pa.field("image", IMAGE), *fields]
    if rows.originals is not None:
        arrays.append(_images(rows.originals))
        fields.append(pa.field("original", IMAGE))
    described = {b"huggingface": features(info), **metadata(info)}
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(arrays, schema=pa.schema(fields, metadata=described)),
        sink,
        row_group_size=GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=["label", "sample", "epoch"],
    )
    return [sink.getvalue()], []


def decode(data: pa.Buffer, info: ShardInfo, fetch: Fetch) -> Rows:
    """The rows of a shard."""
    table = pq.read_table(pa.BufferReader(data), use_threads=False)
    originals = _pixels(table, "original", info) if "original" in table.schema.names else None
    return rows_of(table, info, _pixels(table, "image", info), originals)


def features(info: ShardInfo) -> bytes:
    """The description of the columns that `datasets` looks for in the schema's metadata."""
    found: dict[str, Any] = {"image": {"_type": "Image"}}
    found["label"] = {"names": list(info.classes), "_type": "ClassLabel"}
    found["sample"] = {"dtype": "int64", "_type": "Value"}
    found["epoch"] = {"dtype": "int32", "_type": "Value"}
    for name in PARAMETERS:
        found[name] = {"dtype": "bool" if name == BITS else "float32", "_type": "Value"}
    if info.originals:
        found["original"] = {"_type": "Image"}
    return json.dumps({"info": {"features": found}}).encode()


def _images(images: npt.NDArray[Any]) -> pa.Array:
    paths = pa.nulls(len(images), pa.string())
    return pa.StructArray.from_arrays([pa.array(encode_many(images), pa.binary()), paths], fields=list(IMAGE))


def _pixels(table: pa.Table, name: str, info: ShardInfo) -> npt.NDArray[np.uint8]:
    return decode_many((value["bytes"].as_py() for value in table.column(name)), info.shape, table.num_rows)
