"""A slot's samples as one Arrow record batch: image, label, sample id and the drawn parameters."""

import json
import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.columns import column_of, tensors_of, values_of
from millrace.formats.tables import image_array, image_type
from millrace.labels import Labels
from millrace.pipeline.visited import PARAMETER_NAMES, U8Array

METADATA = b"millrace"  # the schema metadata key that holds JSON


@lru_cache(maxsize=16)
def schema(shape: tuple[int, int, int], label: pa.DataType = pa.uint8()) -> pa.Schema:  # noqa: B008
    """The columns of a batch of images of shape (C, H, W), without metadata. label: the type of the labels."""
    drawn = [pa.field(name, pa.bool_() if name == "flip" else pa.float32(), nullable=False) for name in PARAMETER_NAMES]
    return pa.schema(
        [
            pa.field("image", image_type(shape), nullable=False),
            pa.field("label", label, nullable=False),
            pa.field("sample", pa.int64(), nullable=False),
            *drawn,
        ]
    )


def arrow_bytes(rows: int, shape: tuple[int, int, int], label: int = 1) -> int:
    """The bytes of a batch: pixels, label (of so many), sample id, six float32 parameters, and one bit for the flip."""
    return rows * (math.prod(shape) + label + 8 + 4 * (len(PARAMETER_NAMES) - 1)) + -(-rows // 8)


def assemble(
    images: U8Array,
    labels: Labels,
    samples: npt.NDArray[np.int64],
    parameters: npt.NDArray[np.float32],
    metadata: Mapping[str, object],
) -> pa.RecordBatch:
    """The record batch of n samples; images and labels are not copied. `metadata` goes into the schema as JSON."""
    shape = (images.shape[1], images.shape[2], images.shape[3])
    described = schema(shape, pa.from_numpy_dtype(labels.dtype)).with_metadata(
        {METADATA: json.dumps(metadata).encode()}
    )
    return pa.RecordBatch.from_arrays(columns(images, labels, samples, parameters), schema=described)


def columns(
    images: U8Array, labels: Labels, samples: npt.NDArray[np.int64], parameters: npt.NDArray[np.float32]
) -> list[pa.Array]:
    """The arrays of n samples in the order of `schema`; images and labels are not copied."""
    rows, turned = len(samples), np.ascontiguousarray(parameters.T)
    drawn = column_of(turned[:-1].reshape(-1))  # one array, cut: each that is made takes longer than a cut
    cut = [drawn.slice(index * rows, rows) for index in range(len(turned) - 1)]
    return [image_array(images), column_of(labels), column_of(samples), *cut, column_of(turned[-1] != 0.0)]


def images_of(batch: pa.RecordBatch) -> U8Array:
    """The image column as a read-only NumPy view: uint8 (n, C, H, W)."""
    return tensors_of(batch.column(0))


def labels_of(batch: pa.RecordBatch) -> Labels:
    """The label column as a read-only NumPy view: uint8 or uint16 (n,)."""
    return values_of(batch.column(1))


def samples_of(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """The sample ids as a read-only NumPy view: int64 (n,)."""
    return values_of(batch.column(2))


def parameters_of(batch: pa.RecordBatch) -> npt.NDArray[np.float32]:
    """The drawn parameters as float32 (n, 7), columns in the order of `pipeline.visited.PARAMETER_NAMES`."""
    found = np.empty((batch.num_rows, len(PARAMETER_NAMES)), np.float32)
    for index, name in enumerate(PARAMETER_NAMES):
        found[:, index] = values_of(batch.column(name))
    return found


def described(batch: pa.RecordBatch, **also: object) -> pa.RecordBatch:
    """The batch, with what is given `also` at the end of what its schema says."""
    # The text of an object that has keys is continued: to parse it for every batch takes longer than all else here.
    text = batch.schema.metadata[METADATA].removesuffix(b"}") + b", " + json.dumps(also).encode()[1:]
    return batch.replace_schema_metadata({METADATA: text})


def metadata_of(batch: pa.RecordBatch) -> dict[str, object]:
    """What the schema says of the batch: dataset, policy, seed, epoch, step, slot."""
    return json.loads(batch.schema.metadata[METADATA])  # type: ignore[no-any-return]
