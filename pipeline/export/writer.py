"""The writer of shards: a pure function of (plan, dataset, index), wherever it runs, however often.

Beside each shard that is whole lies a small record of it, until the manifest takes all of them up. A shard counts
only if its record is there and its bytes have the recorded digest; else it is made again, to the same bytes.
"""

import hashlib
import json
import mmap
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets import Dataset
from millrace.datasets.exported import Record, load, verified
from millrace.errors import DataError
from millrace.formats.rows import Rows, pixel_digest
from millrace.formats.shards import encode
from millrace.pipeline.export.plan import ExportPlan, Shard
from millrace.pipeline.export.source import Source
from millrace.storage import HIDDEN, Folder

RECORDS = f"{HIDDEN}/records"
TRIED = 2048  # rows of each split that an estimate is made of
_of_this_thread = threading.local()


@dataclass(frozen=True)
class Done:
    """A shard that is whole; made: written just now, rather than found as it should be."""

    index: int
    record: Record
    made: bool


class ShardWriter:
    """Writes shards of a plan into a folder. known: records that a manifest holds already. It may be sent to another
    process; the dataset then travels with it, or is loaded there."""

    def __init__(
        self, plan: ExportPlan, dataset: Dataset, folder: Folder, known: Mapping[int, Record] | None = None
    ) -> None:
        self.plan, self.dataset, self.folder, self.known = plan, dataset, folder, dict(known or {})
        self.source = Source(plan, dataset)
        self._as_manifest = plan.manifest()

    def shard(self, index: int) -> Done:
        """Make sure that a shard is whole. Errors: DataError of the filesystem."""
        shard = self.plan.shards[index]
        found = self.known.get(index) or self._recorded(shard)
        if found is not None and self._is_whole(found):
            return Done(index, found, False)
        return Done(index, self.write(shard), True)

    def write(self, shard: Shard) -> Record:
        """Write a shard and its record, whatever lies there."""
        rows = self.source.rows(shard, _room(self.plan))
        record, parts, files = self.encoded(shard, rows)
        self.folder.put_many(files)
        self.folder.put(shard.name, parts, settled=False)
        content = {"key": self.plan.key, **asdict(record)}
        self.folder.put_hint(record_name(shard), json.dumps(content).encode())
        return record

    def encoded(self, shard: Shard, rows: Rows) -> tuple[Record, list[Any], list[tuple[str, bytes]]]:
        """The record of a shard, the parts of its file, and other files that it needs, by name."""
        info = self._as_manifest.info(shard.split, shard.first, shard.rows)
        parts, files = encode(self.plan.options.format, rows, info)
        size = sum(memoryview(part).nbytes for part in parts)
        originals = "" if rows.originals is None else pixel_digest(rows.originals)
        total = hashlib.sha256()
        for part in parts:
            total.update(part)
        pixels = pixel_digest(rows.images)
        record = Record(shard.split, shard.first, shard.rows, shard.name, 0, size, total.hexdigest(), pixels, originals)
        return record, list(parts), files

    def estimate(self) -> dict[str, int]:
        """About the bytes of each split, before it is written: from a few rows, encoded and thrown away."""
        found: dict[str, int] = {}
        for name, size in self.plan.splits.items():
            first = next(shard for shard in self.plan.shards if shard.split == name)
            tried = replace(first, rows=min(TRIED, first.rows))
            record, _, files = self.encoded(tried, self.source.rows(tried))
            found[name] = round((record.bytes + sum(len(data) for _, data in files)) / tried.rows * size.rows)
        return found

    def _recorded(self, shard: Shard) -> Record | None:
        """The record that lies beside a shard, if it is one of this plan's."""
        try:
            found = json.loads(self.folder.read(record_name(shard)).to_pybytes())
            if found.pop("key") != self.plan.key:
                return None
            record = Record(**found)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        expected = replace(record, split=shard.split, first=shard.first, rows=shard.rows, file=shard.name, offset=0)
        return record if record == expected else None

    def _is_whole(self, record: Record) -> bool:
        try:
            if self.plan.options.format == "imagefolder":
                load(self.folder, self._as_manifest, record)  # also reads every picture
            else:
                verified(self.folder, record)
        except DataError:
            return False
        return True


def record_name(shard: Shard) -> str:
    """Where the record of a shard lies until the manifest is written."""
    return f"{RECORDS}/{shard.name.rpartition('/')[2]}.json"


def _room(plan: ExportPlan) -> npt.NDArray[np.uint8]:
    """Memory for the pixels of a shard, whole pages. A thread has the same for all its shards: new pages each time
    would cost a quarter of what the pixels themselves do."""
    shape = (plan.shard_rows, *plan.shape)
    found = getattr(_of_this_thread, "room", None)
    if found is None or found.shape != shape:
        pages = mmap.mmap(-1, plan.shard_rows * plan.image_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):
                pages.madvise(mmap.MADV_HUGEPAGE)
        found = _of_this_thread.room = np.frombuffer(pages, np.uint8).reshape(shape)
    return found
