"""WebDataset: a tar file of KEY.png, KEY.cls, KEY.json for each sample. Members are read by our own rules: ustar,
plain files, in order; `tarfile` would follow whatever a header asks for."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.datasets.exported.decoders.png import decode_png
from millrace.datasets.exported.manifest import Manifest
from millrace.datasets.exported.rows import PARAMETERS, Rows
from millrace.errors import FormatError

BLOCK = 512


def members(data: Any) -> Iterator[tuple[str, memoryview]]:
    """Name and bytes of each member of a tar file (ustar). FormatError for anything else."""
    view, place = memoryview(data).cast("B"), 0
    while place + BLOCK <= len(view):
        header = bytes(view[place : place + BLOCK])
        if not any(header):
            return
        if header[257:263] != b"ustar\0" or header[156:157] != b"0":
            raise FormatError("not a member of a ustar archive", expected="a plain file", got=repr(header[:32]))
        stated = int(header[148:156].rstrip(b"\0 "), 8)
        if stated != sum(header[:148]) + 8 * 32 + sum(header[156:]):
            raise FormatError("a tar header is damaged", got=repr(header[:32]))
        size = int(header[124:136].rstrip(b"\0 "), 8)
        begin = place + BLOCK
        if begin + size > len(view):
            raise FormatError("a tar member is cut short", expected=f"{size} bytes", got=len(view) - begin)
        yield header[:100].rstrip(b"\0").decode(), view[begin : begin + size]
        place = begin + -(-size // BLOCK) * BLOCK
    raise FormatError("a tar file without its end")


def decode(data: pa.Buffer, manifest: Manifest, fetch: Any) -> Rows:
    """The rows of a shard."""
    found: dict[str, dict[str, memoryview]] = {}
    for name, content in members(data):
        key, _, ending = name.partition(".")
        found.setdefault(key, {})[ending] = content
    told = [json.loads(bytes(sample["json"])) for sample in found.values()]
    with_originals = bool(manifest.configuration.get("originals"))
    images = np.empty((len(found), *manifest.shape), np.uint8)
    originals = np.empty_like(images) if with_originals else None
    for row, sample in enumerate(found.values()):
        images[row] = decode_png(sample["png"], manifest.shape)
        if originals is not None:
            originals[row] = decode_png(sample["original.png"], manifest.shape)
    return Rows(
        images,
        np.array([int(bytes(sample["cls"])) for sample in found.values()], np.uint8),
        np.array([one["sample"] for one in told], np.int64),
        np.array([one["epoch"] for one in told], np.int32),
        np.array([[one[name] for name in PARAMETERS] for one in told], np.float32),
        originals,
    )
