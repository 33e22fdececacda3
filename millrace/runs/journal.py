"""The journal of a stale run: for each update, in order, whose it was, which batch it took and which weights it read.

With data, configuration and seed it decides the run's bits, so `replay` can compute them again. The file is a line of
JSON, which names the run, then four bytes an update where workers and staleness are small: the worker, how far the
batch stands from the update's own number, how many versions the weights were behind, each as a number of seven bits a
byte, and a check of these and of the update's number. What a kill tears off its end is seen, and so is what is missing
in its middle. Checkpoints keep the sha256 of the file up to their step.
"""

import hashlib
import os
import zlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from millrace.errors import CheckpointError, MismatchError
from millrace.runs.journal_head import ONLY, RunIdentity, checked_head, head
from millrace.runs.journal_rows import JournalRow, JournalRows, staleness
from millrace.storage import faults, write_whole

MOST = 49  # bits of a number before its last seven; a longer one is damage


class Journal:
    """The journal of a run in training: `keep` updates of it stay, more are appended.

    identity: of the run. digest: what the checkpoint at `keep` has for it; None where there is no checkpoint. Errors:
    CheckpointError where what should stay is not there, MismatchError where it is of another run."""

    def __init__(self, path: Path, identity: RunIdentity, keep: int = 0, digest: str | None = None) -> None:
        self._path = path
        kept, rows = head(identity), JournalRows()
        if keep:
            data = _data(path)
            rows, end = _rows(data, path, identity, keep)
            kept = data[:end]
            check_digest(path, hashlib.sha256(kept).hexdigest(), digest)
        with _faults(path):
            # A file of its own: a driver that was followed, and sleeps, may have the one of before open to write to.
            write_whole(path, kept)
            self._file: IO[bytes] = path.open("ab", buffering=0)
        self._sum, self._waiting = hashlib.sha256(kept), bytearray()
        self._updates = keep
        self.staleness = staleness(rows)  # of all its updates; see there

    @property
    def digest(self) -> str:
        """sha256 of all that was written, hex: what a checkpoint at this update keeps."""
        return self._sum.hexdigest()

    def write(self, row: JournalRow) -> None:
        """Append an update; the system has it with `flush`."""
        data, lag = _encoded(row, self._updates), self._updates - row.read
        self.staleness[lag] = self.staleness.get(lag, 0) + 1
        self._updates += 1
        self._sum.update(data)
        self._waiting += data

    def flush(self) -> None:
        """Hand the updates to the system, so that a `kill -9` of this process loses none of them."""
        with _faults(self._path):
            while self._waiting:
                del self._waiting[: self._file.write(self._waiting)]

    def sync(self) -> None:
        """Have all on the disk: what a checkpoint's digest counts must not be lost in a power cut that it survives."""
        self.flush()
        with _faults(self._path):
            os.fsync(self._file.fileno())

    def abandon(self) -> None:
        """Close, and write nothing more: the file belongs to another process."""
        self._file.close()

    def close(self) -> None:
        """Flush to the disk and close."""
        self.sync()
        self._file.close()


def read_journal(
    path: Path, identity: RunIdentity, updates: int, digest: str | None = None, least: int | None = None
) -> JournalRows:
    """The first `updates` of a run's journal. digest: what the checkpoint at that step has for it; None asks nothing.
    least: so many are enough where it ends there (None: all).

    Errors: CheckpointError where there is none, where it is torn before that or damaged; MismatchError where it is of
    another run, or of a release that wrote it otherwise."""
    data = _data(path)
    rows, end = _rows(data, path, identity, updates, least)
    if digest is not None:
        check_digest(path, hashlib.sha256(data[:end]).hexdigest(), digest)
    return rows


def check_digest(path: Path, got: str, expected: str | None) -> None:
    """Refuse a journal that is whole but not the one that the checkpoint was written beside."""
    if got != expected:
        raise MismatchError(
            f"{path} is not the journal of this checkpoint", expected=f"sha256 {expected}", got=f"sha256 {got}", do=ONLY
        )


def _data(path: Path) -> bytes:
    if not path.is_file():
        raise CheckpointError(f"there is no journal {path}", expected="the order of the run's updates", do=ONLY)
    with _faults(path, "cannot be read"):
        return path.read_bytes()


def _rows(
    data: bytes, path: Path, identity: RunIdentity, wanted: int, least: int | None = None
) -> tuple[JournalRows, int]:
    """So many updates, or `least` and more where no others are whole, and where the last of them ends."""
    place, rows = checked_head(data, path, identity), JournalRows()
    while len(rows) < wanted:
        found = _decoded(data, place, len(rows))
        if found is None and least is not None and len(rows) >= least:
            break
        if found is None:
            raise CheckpointError(
                f"{path} is torn or damaged after update {len(rows)}",
                expected=f"{wanted} updates",
                got=len(rows),
                do=ONLY,
            )
        row, place = found
        rows.append(row)
    return rows, place


def _encoded(row: JournalRow, update: int) -> bytes:
    shift = row.batch - update
    numbers = (row.worker, shift * 2 if shift >= 0 else -shift * 2 - 1, update - row.read)
    data = b"".join(map(_seven_bits, numbers))
    return data + bytes([_check(data, update)])


def _decoded(data: bytes, place: int, update: int) -> tuple[JournalRow, int] | None:
    """The update that begins at this place, and where it ends; None where it is not whole."""
    numbers, begin = [], place
    for _ in range(3):
        number = bits = 0
        while True:
            if place >= len(data) or bits > MOST:
                return None
            byte = data[place]
            number |= (byte & 127) << bits
            place, bits = place + 1, bits + 7
            if byte < 128:
                break
        numbers.append(number)
    if place >= len(data) or data[place] != _check(data[begin:place], update):
        return None
    worker, shift, lag = numbers
    if lag > update:
        return None
    batch = update + (shift // 2 if shift % 2 == 0 else -(shift + 1) // 2)
    return JournalRow(worker, batch, update - lag), place + 1


def _seven_bits(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _check(data: bytes, update: int) -> int:
    return zlib.crc32(data, update & 0xFFFFFFFF) & 255


def _faults(path: Path, what: str = "cannot be written") -> AbstractContextManager[None]:
    do = "free space on the disk, then go on with `millrace.resume`"
    return faults(path, what, CheckpointError, do=do, full=do)
