"""A PNG file per sample in a folder per class; the shard's own bytes are its lines of metadata.csv."""

import csv
import hashlib
import io
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.datasets.exported.decoders.png import decode_png
from millrace.datasets.exported.manifest import Manifest
from millrace.datasets.exported.rows import PARAMETERS, Rows
from millrace.errors import FormatError

# The columns of metadata.csv; file_name is relative to the split's folder. With originals two more follow, of which
# original_file is relative to the export: Hugging Face's imagefolder would take a second `…file_name` for its own.
COLUMNS = ("file_name", "label", "class", "sample", "epoch", *PARAMETERS, "split", "sha256")
ORIGINALS = ("original_file", "original_sha256")


def decode(data: pa.Buffer, manifest: Manifest, fetch: Any) -> Rows:
    """The rows of a shard."""
    names = [*COLUMNS, *(ORIGINALS if manifest.configuration.get("originals") else ())]
    lines = list(csv.reader(io.StringIO(bytes(data).decode(), newline="")))
    told = [dict(zip(names, line, strict=True)) for line in lines]
    images = np.empty((len(told), *manifest.shape), np.uint8)
    originals = np.empty_like(images) if manifest.configuration.get("originals") else None
    for row, one in enumerate(told):
        images[row] = _pixels(f"{one['split']}/{one['file_name']}", one["sha256"], manifest, fetch)
        if originals is not None:
            file, digest = (one[name] for name in ORIGINALS)
            originals[row] = _pixels(file, digest, manifest, fetch)
    return Rows(
        images,
        np.array([int(one["label"]) for one in told], np.uint8),
        np.array([int(one["sample"]) for one in told], np.int64),
        np.array([int(one["epoch"]) for one in told], np.int32),
        np.array([[float(one[name]) for name in PARAMETERS] for one in told], np.float32),
        originals,
    )


def _pixels(name: str, digest: str, manifest: Manifest, fetch: Any) -> Any:
    content = fetch(name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise FormatError(f"{name} is damaged", expected=f"sha256 {digest}", got="another")
    return decode_png(content, manifest.shape)
