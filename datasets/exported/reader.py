"""The reader of an export: any range of rows of a split, shard by shard, each verified before it is decoded."""

import hashlib
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

from millrace.datasets.exported.manifest import Manifest, Record
from millrace.errors import DataError, IntegrityError, UsageError
from millrace.formats.rows import Rows, joined
from millrace.formats.shards import decode
from millrace.storage import Folder

KEPT = 4  # decoded shards that are kept at least
KEPT_BYTES = 256 << 20  # beyond the least number, as many as fit in here


class Reader:
    """Rows of the shards of an export; safe in threads. Few decoded shards are kept, since rows are read in order."""

    def __init__(self, folder: Folder, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self._records = {split: manifest.of(split) for split in manifest.splits}
        self._firsts = {split: [record.first for record in records] for split, records in self._records.items()}
        self._forget_all()

    def _forget_all(self) -> None:
        self._process = os.getpid()
        self._kept: OrderedDict[str, Future[Rows]] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return Reader, (self.folder, self.manifest)

    def rows(self, split: str, first: int, last: int) -> Rows:
        """Rows [first, last) of a split, at least one. Errors: DataError for a damaged or missing shard, by name."""
        total = self.manifest.splits[split].rows if split in self.manifest.splits else 0
        if not 0 <= first < last <= total:
            raise UsageError(
                "no such rows in the export",
                expected=f"0 to {total - 1} of split {split}",
                got=f"{first} to {last - 1}",
            )
        parts = []
        index = bisect_right(self._firsts[split], first) - 1
        while first < last:
            record = self._records[split][index]
            end = min(last, record.first + record.rows)
            parts.append(self._shard(record).part(first - record.first, end - record.first))
            first, index = end, index + 1
        return joined(parts)

    def _shard(self, record: Record) -> Rows:
        """A decoded shard; whoever asks while another decodes it waits for that."""
        key = f"{record.split}/{record.first}"
        if os.getpid() != self._process:
            # A forked child: the thread that decoded a shard, or held the lock, is not in it and would never be done.
            self._forget_all()
        with self._lock:
            future = self._kept.get(key)
            mine = future is None
            if future is None:
                future = self._kept[key] = Future()
            self._kept.move_to_end(key)
        if mine:
            try:
                future.set_result(load(self.folder, self.manifest, record))
            except BaseException as error:
                with self._lock:
                    self._kept.pop(key, None)
                future.set_exception(error)
            self._forget()
        return future.result()

    def _forget(self) -> None:
        with self._lock:
            sizes = {key: f.result().nbytes for key, f in self._kept.items() if f.done() and not f.exception()}
            while len(sizes) > KEPT and sum(sizes.values()) > KEPT_BYTES:
                oldest = next(iter(sizes))
                del sizes[oldest], self._kept[oldest]


def load(folder: Folder, manifest: Manifest, record: Record) -> Rows:
    """The verified, decoded rows of one shard, not to be written to. IntegrityError or FormatError naming it where it
    is damaged."""
    info = manifest.info(record.split, record.first, record.rows)
    data = verified(folder, record)
    rows = decode(manifest.format, data, info, lambda name: _other(folder, name), shard_name(record))
    for array in rows:
        if array is not None:  # shards are kept and shown in parts: who writes to a part must copy it first
            array.flags.writeable = False
    return rows


def verified(folder: Folder, record: Record) -> Any:
    """The bytes of a shard, whose size and sha256 are those of the record."""
    what = shard_name(record)
    try:
        data = folder.read(record.file, offset=record.offset, count=record.bytes)
    except FileNotFoundError:
        raise IntegrityError(f"{what} is missing", expected=f"{record.bytes} bytes", got="no file") from None
    except OSError as error:
        raise DataError(f"{what} cannot be read", got=str(error).splitlines()[0]) from error
    if data.size != record.bytes:
        raise IntegrityError(f"{what} has the wrong size", expected=f"{record.bytes} bytes", got=f"{data.size} bytes")
    if (got := hashlib.sha256(data).hexdigest()) != record.sha256:
        raise IntegrityError(f"{what} is damaged", expected=f"sha256 {record.sha256}", got=got)
    return data


def shard_name(record: Record) -> str:
    """What messages call a shard: its file, and for a part of a file its rows."""
    if record.file.endswith(".csv"):
        return f"{record.file}, rows {record.first} to {record.first + record.rows - 1}"
    return record.file


def _other(folder: Folder, name: str) -> Any:
    try:
        return folder.read(name)
    except FileNotFoundError:
        raise IntegrityError(f"{name} is missing", expected="a file", got="none") from None
