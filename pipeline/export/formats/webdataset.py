"""WebDataset: a tar file (ustar) with KEY.png, KEY.cls and KEY.json for each row; KEY is its number in the split."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from millrace.datasets.exported import PARAMETERS, Rows
from millrace.pipeline.export.formats import Files
from millrace.pipeline.export.formats.columns import BITS
from millrace.pipeline.export.formats.png import encode_many
from millrace.pipeline.export.plan import Plan, Shard

BLOCK = 512
RECORD = 20 * BLOCK  # tar files are padded to whole records
_HEAD = b"0000644\0" + b"0000000\0" * 2  # mode, owner and group
_TAIL = b"0" + bytes(100) + b"ustar\00000"  # a plain file, no link, the format's magic and version


def encode(rows: Rows, plan: Plan, shard: Shard) -> tuple[Sequence[Any], Files]:
    """The shard as the parts of one tar file."""
    parts = [piece for name, data in _members(rows, plan, shard) for piece in member(name, data)]
    size = sum(map(len, parts))
    parts.append(bytes(-(size + 2 * BLOCK) % RECORD + 2 * BLOCK))
    return [b"".join(parts)], []


def member(name: str, data: bytes) -> tuple[bytes, bytes, bytes]:
    """Header, content and padding of one file: owner 0, time 0, so that nothing but the content decides the bytes."""
    front = name.encode().ljust(100, b"\0") + _HEAD + b"%011o\0" % len(data) + b"00000000000\0"
    # The sum is taken with blanks in its own place.
    total = sum(front) + 8 * 32 + sum(_TAIL)
    header = (front + b"%06o\0 " % total + _TAIL).ljust(BLOCK, b"\0")
    return header, data, bytes(-len(data) % BLOCK)


def _members(rows: Rows, plan: Plan, shard: Shard) -> Iterator[tuple[str, bytes]]:
    pictures = encode_many(rows.images)
    originals = None if rows.originals is None else encode_many(rows.originals)
    drawn = rows.parameters.tolist()
    for row, (label, sample, epoch) in enumerate(
        zip(rows.labels.tolist(), rows.samples.tolist(), rows.epochs.tolist(), strict=True)
    ):
        key = f"{shard.first + row:012d}"
        told: dict[str, Any] = {"label": label, "class": plan.classes[label], "sample": sample, "epoch": epoch}
        told |= {
            name: bool(value) if name == BITS else value for name, value in zip(PARAMETERS, drawn[row], strict=True)
        }
        yield f"{key}.png", pictures[row]
        yield f"{key}.cls", str(label).encode()
        yield f"{key}.json", json.dumps(told).encode()
        if originals is not None:
            yield f"{key}.original.png", originals[row]
