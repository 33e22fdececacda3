"""Arrow IPC files with fixed-shape tensors; the images are views of the file's bytes."""

from typing import Any

import pyarrow as pa

from millrace.datasets.exported.decoders.tables import tensor_rows
from millrace.datasets.exported.manifest import Manifest
from millrace.datasets.exported.rows import Rows


def decode(data: pa.Buffer, manifest: Manifest, fetch: Any) -> Rows:
    """The rows of a shard."""
    return tensor_rows(pa.ipc.open_file(pa.BufferReader(data)).read_all(), manifest.shape)
