"""The columns that the Arrow formats share: label, sample, epoch and the drawn parameters."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from datasets.exported import PARAMETERS, Rows
from pipeline.batch import image_array
from pipeline.export.plan import Plan, Shard

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
    arrays, fields = plain(rows, pa.uint8())
    pixels = {"image": rows.images} if rows.originals is None else {"image": rows.images, "original": rows.originals}
    images = [image_array(np.ascontiguousarray(values)) for values in pixels.values()]
    fields = [pa.field("image", images[0].type, nullable=False), *fields]
    arrays = [images[0], *arrays]
    if rows.originals is not None:
        arrays.append(images[1])
        fields.append(pa.field("original", images[1].type, nullable=False))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, metadata={b"millrace": told(plan, shard)}))


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
