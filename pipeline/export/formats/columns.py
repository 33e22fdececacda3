"""The columns that the Arrow formats share: label, sample, epoch and the drawn parameters."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.datasets.exported import PARAMETERS, Rows
from millrace.pipeline.batch import image_array, image_type
from millrace.pipeline.export.plan import Plan, Shard

BITS = "flip"  # the parameter that is true or false


def plain(rows: Rows, label: Any) -> tuple[list[pa.Array], list[pa.Field]]:
    """Arrays and fields of everything but the images; label: the Arrow type of the labels."""
    drawn = np.ascontiguousarray(rows.parameters.T)
    arrays = [pa.array(rows.labels).cast(label), pa.array(rows.samples), pa.array(rows.epochs)]
    kinds = [label, pa.int64(), pa.int32()]
    for name, values in zip(PARAMETERS, drawn, strict=True):
        arrays.append(pa.array(values != 0.0) if name == BITS else pa.array(values))
        kinds.append(pa.bool_() if name == BITS else pa.float32())
    names = ("label", "sample", "epoch", *PARAMETERS)
    return arrays, [pa.field(name, kind, nullable=False) for name, kind in zip(names, kinds, strict=True)]


def tensor_batch(rows: Rows, plan: Plan, shard: Shard) -> pa.RecordBatch:
    """The rows with images as fixed-shape tensors, without a copy of the pixels."""
    arrays, _ = plain(rows, pa.uint8())
    arrays = [image_array(np.ascontiguousarray(rows.images)), *arrays]
    if rows.originals is not None:
        arrays.append(image_array(np.ascontiguousarray(rows.originals)))
    return pa.RecordBatch.from_arrays(arrays, schema=tensor_schema(rows, plan, shard))


def tensor_schema(rows: Rows, plan: Plan, shard: Shard) -> pa.Schema:
    """The columns with images as fixed-shape tensors; the metadata says what the shard is."""
    _, fields = plain(rows.part(0, 0), pa.uint8())
    fields = [pa.field("image", image_type(plan.shape), nullable=False), *fields]
    if rows.originals is not None:
        fields.append(pa.field("original", image_type(plan.shape), nullable=False))
    return pa.schema(fields, metadata={b"millrace": told(plan, shard)})


def told(plan: Plan, shard: Shard) -> bytes:
    """What a shard says of itself, as JSON for the schema's metadata."""
    content = {
        "dataset": plan.dataset["name"],
        "digest": plan.dataset["digest"],
        "classes": plan.classes,
        "split": shard.split,
        "first": shard.first,
        "key": plan.key,
        "configuration": plan.configuration,
    }
    return json.dumps(content).encode()
