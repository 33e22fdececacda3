"""One file from one address over HTTP: resumed, limited, retried, read and verified, then renamed."""

import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from millrace.datasets import limits
from millrace.datasets.content import looks_like_html
from millrace.datasets.http import Fault, Head, Transfer
from millrace.datasets.spec import FileSpec
from millrace.errors import DataError
from millrace.storage import rename, write_whole

Progress = Callable[[str, int, int | None], None]
T = TypeVar("T")
_MISSING = {403, 404, 410}
_BUSY = {408, 425, 429, 500, 502, 503, 504}


class WrongBytes(Fault):
    """The whole file came, but its content is not what it should be; `error` says why."""

    def __init__(self, error: DataError, *, passing: bool = False) -> None:
        super().__init__("; ".join(line.strip() for line in str(error).splitlines()), passing=passing)
        self.error = error


@dataclass(frozen=True)
class Origin:
    """Where bytes came from: address, validator (strong ETag or date) and size of the whole file."""

    url: str
    validator: str | None
    total: int | None


class PartialFile:
    """The bytes that came so far, `FILE.part`, and in `FILE.part.json` their origin: what going on later needs."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._origin = target.with_name(target.name + ".part.json")

    def origin(self) -> Origin | None:
        """Where the bytes came from, if that can be read; without it they are of no use."""
        try:
            found = Origin(**json.loads(self._origin.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        known = isinstance(found.url, str) and isinstance(found.validator, str | None)
        return found if known and isinstance(found.total, int | None) else None

    def resumable(self, url: str, *, same_everywhere: bool) -> int:
        """How many bytes can be gone on from at this address.

        Another address may have other bytes, so it starts from zero, unless the digest of the file
        as sent is known and so all addresses must have the same ones.
        """
        origin = self.origin()
        if origin is None or not (same_everywhere or origin.url == url):
            return 0
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def begin(self, start: int, origin: Origin) -> int:
        """Keep the first `start` bytes, drop the rest; a file descriptor there. The origin is on the disk first."""
        if start == 0:
            self.discard()
        write_whole(self._origin, json.dumps(asdict(origin)).encode())
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(handle, start)
        os.lseek(handle, start, os.SEEK_SET)
        return handle

    def finish(self) -> None:
        """Give the complete and verified file its name."""
        rename(self.path, self.target)
        self._origin.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove bytes and origin."""
        for path in (self.path, self._origin):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def download(
    url: str, file: FileSpec, target: Path, read: Callable[[Path], T], until: float, progress: Progress | None
) -> T:
    """Bring the file to `target`, once `read` has accepted its bytes, and return what `read` made of them.

    `read` raises a DataError for wrong bytes. Raises a Fault once further attempts make no sense, or at `until`
    (`time.monotonic`). Faults that may pass are tried again ATTEMPTS times; an attempt that brought a
    fair amount of new bytes does not count, so a connection that breaks often still gets there.
    """
    partial = PartialFile(target)
    attempt, pause, most = 0, limits.PAUSE, 0
    while True:
        before = partial.resumable(url, same_everywhere=file.sent_digest is not None)
        try:
            return _attempt(url, file, partial, before, read, until, progress)
        except Fault as fault:
            # More than ever before: a server that starts from zero every time gets no new attempts for it.
            now = partial.resumable(url, same_everywhere=False)
            if now - max(most, before) > limits.FLOOR * limits.WINDOW:
                attempt, pause = 0, limits.PAUSE
            most = max(most, before, now)
            attempt += 1
            if not fault.passing:
                raise
            if attempt >= limits.ATTEMPTS:
                fault.reason += f" ({attempt} attempts)"
                raise
            wait, last = max(pause, fault.after), fault.reason
        except OSError:
            # A full disk: the bytes are of no use to anyone else who needs the room.
            partial.discard()
            raise
        if time.monotonic() + wait >= until:
            raise Fault(f"the deadline for this file is over; last: {last}")
        time.sleep(wait)
        pause = min(2 * pause, limits.LONGEST_PAUSE)


def _attempt(
    url: str,
    file: FileSpec,
    partial: PartialFile,
    have: int,
    read: Callable[[Path], T],
    until: float,
    progress: Progress | None,
) -> T:
    origin = partial.origin() if have else None
    headers = {"Accept-Encoding": "identity", "User-Agent": "millrace"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if origin is not None and origin.validator and origin.url == url:
            headers["If-Range"] = origin.validator
    with Transfer(url, headers, until) as transfer:
        head = transfer.head()
        start, total = _range(head, have, origin, partial)
        if total is not None and total > file.sent_cap:
            raise Fault(f"it announces {total} bytes, more than the {file.sent_cap} that it may have")
        if start < (total or start + 1):
            _receive(transfer, file, partial, start, Origin(url, _validator(head), total), progress)
    try:
        made = read(partial.path)
    except DataError as error:
        partial.discard()
        # After a resume, or without a known length, starting again from zero may help.
        raise WrongBytes(error, passing=start > 0 or total is None) from None
    partial.finish()
    return made


def _range(head: Head, have: int, origin: Origin | None, partial: PartialFile) -> tuple[int, int | None]:
    """From which byte on the answer goes, and the size of the whole file if it is known."""
    if head.status == 200:
        length = head.headers.get("content-length", "")
        return 0, int(length) if re.fullmatch(r"\d{1,18}", length) else None
    known = None if origin is None else origin.total
    span = re.fullmatch(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18}|\*)", head.headers.get("content-range", ""))
    whole = int(span[2]) if span and span[2] != "*" else None
    if have and head.status == 206 and span and span[1] == str(have) and known in (None, whole):
        return have, whole
    if have and head.status == 416 and whole == have and known in (None, whole):
        return have, whole
    if have and head.status in (206, 416):
        partial.discard()
        raise Fault("it does not go on where the download stopped", passing=True)
    after = head.headers.get("retry-after", "")
    seconds = float(after) if re.fullmatch(r"\d{1,6}", after) else 0.0
    reason = f"HTTP {head.status} {head.reason}".rstrip()
    if head.status in _BUSY:
        if seconds > 60:
            raise Fault(f"{reason}, it asks to come back after {seconds:.0f} s")
        raise Fault(reason, passing=True, after=seconds)
    raise Fault(reason, missing=head.status in _MISSING)


def _receive(
    transfer: Transfer, file: FileSpec, partial: PartialFile, start: int, origin: Origin, progress: Progress | None
) -> None:
    handle = partial.begin(start, origin)
    done = start
    try:
        if progress is not None:
            progress(file.name, done, origin.total)
        for chunk in transfer.chunks():
            if done == 0 and looks_like_html(chunk):
                partial.discard()
                raise Fault(f"an HTML page instead of {'gzip' if file.gzipped else 'the file'}", missing=True)
            done += len(chunk)
            if done > file.sent_cap:
                partial.discard()
                raise Fault(f"it sends more than the {file.sent_cap} bytes that the file may have")
            _write(handle, chunk)
            if progress is not None:
                progress(file.name, done, origin.total)
        os.fsync(handle)
    finally:
        os.close(handle)
    if origin.total is not None and done != origin.total:
        raise Fault(f"the connection broke after {done} of {origin.total} bytes", passing=True)


def _write(handle: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


def _validator(head: Head) -> str | None:
    etag = head.headers.get("etag", "")
    return etag if etag.startswith('"') else head.headers.get("last-modified")
