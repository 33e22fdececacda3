"""What every format holds to: what goes in comes out, to the same bytes each time; damage is a FormatError."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from millrace.errors import FormatError
from millrace.formats.rows import PARAMETERS, Rows
from millrace.formats.shards import ShardInfo, decode, encode

CLASSES = ("circle", "sq/uare", 'a "b", c')
MANY = (*CLASSES, *(f"kind {number}" for number in range(3, 300)))


class Shard(NamedTuple):
    """A shard as a format has it: its bytes, its other files by name."""

    data: bytes
    files: dict[str, bytes]

    def fetch(self, name: str) -> bytes:
        if name not in self.files:
            raise FormatError(f"{name} is missing")
        return self.files[name]


def some_rows(count: int = 16, channels: int = 1, originals: bool = False) -> Rows:
    """Rows with pseudo-random pixels, 6 × 5."""
    pixels = (np.arange(count * channels * 30, dtype=np.uint64) * 2654435761 % 65521 % 256).astype(np.uint8)
    images = pixels.reshape(count, channels, 6, 5)
    number = np.arange(count)
    drawn = np.sin(np.outer(number, np.arange(1, len(PARAMETERS) + 1))).astype(np.float32)
    drawn[:, -1] = number % 2
    labels, samples = (number % len(CLASSES)).astype(np.uint8), number.astype(np.int64) * 10**10
    return Rows(images, labels, samples, (number // 7).astype(np.int32), drawn, 255 - images if originals else None)


def of_many_classes(rows: Rows) -> Rows:
    """The rows with labels up to 299."""
    return rows._replace(labels=(rows.samples // 10**10 * 293 % 300).astype(np.uint16))


def info_of(rows: Rows) -> ShardInfo:
    classes = CLASSES if rows.labels.dtype == np.uint8 else MANY
    channels, height, width = rows.images.shape[1:]
    originals = rows.originals is not None
    return ShardInfo((channels, height, width), classes, "train", 32, len(rows.labels), originals, {"key": "k"}, "0")


def encoded(name: str, rows: Rows) -> Shard:
    parts, files = encode(name, rows, info_of(rows))
    return Shard(b"".join(memoryview(part) for part in parts), dict(files))


def equal(found: Rows, expected: Rows) -> None:
    for column, values in expected._asdict().items():
        np.testing.assert_array_equal(getattr(found, column), values, err_msg=column)
        assert values is None or getattr(found, column).dtype == values.dtype, column


def refused(name: str, data: Any, info: ShardInfo, shard: Shard, match: str | None = None) -> None:
    with pytest.raises(FormatError, match=match):
        decode(name, pa.py_buffer(data), info, shard.fetch, "the shard")


def check_format(name: str, every: Sequence[Rows]) -> None:
    """Hold a format to the contract with each of these rows, at least two a time."""
    for rows in every:
        info, shard = info_of(rows), encoded(name, rows)
        equal(decode(name, pa.py_buffer(shard.data), info, shard.fetch, "the shard"), rows)
        # The bytes depend on the values alone, not on how they lie in memory.
        turned = np.asfortranarray(rows.images)
        assert encoded(name, rows._replace(images=turned)) == shard
        channels, height, width = info.shape
        refused(name, shard.data, replace(info, shape=(channels, width, height)), shard)
        refused(name, shard.data, replace(info, rows=info.rows + 1), shard)
        refused(name, shard.data, replace(info, rows=info.rows - 1), shard)
        fewer = info.classes[: int(rows.labels.max())]
        refused(name, shard.data, replace(info, classes=fewer), shard, "has no class")
        refused(name, shard.data[: len(shard.data) // 2], info, shard)
        refused(name, b"", info, shard)
