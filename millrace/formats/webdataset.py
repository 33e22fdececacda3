"""WebDataset: a tar file with KEY.png, KEY.cls and KEY.json for each row; KEY is its number in the split."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from millrace.errors import FormatError
from millrace.formats import tar
from millrace.formats.png import decode_many, encode_many
from millrace.formats.rows import BITS, PARAMETERS, Rows
from millrace.formats.shards import Fetch, Files, ShardInfo
from millrace.labels import narrowed

ENDINGS = ("png", "cls", "json", "original.png")


def encode(rows: Rows, info: ShardInfo) -> tuple[Sequence[Any], Files]:
    """The shard as one tar file."""
    parts = [piece for name, data in _files(rows, info) for piece in tar.member(name, data)]
    parts.append(tar.end(sum(map(len, parts))))
    return [b"".join(parts)], []


def decode(data: Any, info: ShardInfo, fetch: Fetch) -> Rows:
    """The rows of a shard."""
    found: dict[str, dict[str, Any]] = {}
    for header, read in tar.members(tar.Buffer(data, "the shard"), len(ENDINGS) * info.rows):
        if header.type not in tar.REGULAR:
            raise FormatError("not a member of a shard", expected="a plain file", got=ascii(header.name))
        key, _, ending = header.name.partition(".")
        found.setdefault(key, {})[ending] = read()
    samples = list(found.values())
    described = [json.loads(bytes(sample["json"])) for sample in samples]
    images = decode_many((sample["png"] for sample in samples), info.shape, len(samples))
    originals = None
    if info.originals:
        originals = decode_many((sample["original.png"] for sample in samples), info.shape, len(samples))
    return Rows(
        images,
        narrowed(np.array([int(bytes(sample["cls"])) for sample in samples], np.int64), len(info.classes), "a label"),
        np.array([one["sample"] for one in described], np.int64),
        np.array([one["epoch"] for one in described], np.int32),
        np.array([[one[name] for name in PARAMETERS] for one in described], np.float32),
        originals,
    )


def _files(rows: Rows, info: ShardInfo) -> Iterator[tuple[str, bytes]]:
    pictures = encode_many(rows.images)
    originals = None if rows.originals is None else encode_many(rows.originals)
    drawn = rows.parameters.tolist()
    for row, (label, sample, epoch) in enumerate(
        zip(rows.labels.tolist(), rows.samples.tolist(), rows.epochs.tolist(), strict=True)
    ):
        key = f"{info.first + row:012d}"
        described: dict[str, Any] = {"label": label, "class": info.classes[label], "sample": sample, "epoch": epoch}
        described |= {
            name: bool(value) if name == BITS else value for name, value in zip(PARAMETERS, drawn[row], strict=True)
        }
        yield f"{key}.png", pictures[row]
        yield f"{key}.cls", str(label).encode()
        yield f"{key}.json", json.dumps(described).encode()
        if originals is not None:
            yield f"{key}.original.png", originals[row]
