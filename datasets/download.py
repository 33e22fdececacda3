"""One file from one address over HTTP: resumed, limited, retried, verified, then renamed."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from millrace.datasets.content import looks_like_html
from millrace.datasets.formats import check_file
from millrace.datasets.partial import Notes, Partial
from millrace.datasets.patience import Patience
from millrace.datasets.spec import FileSpec
from millrace.datasets.transfer import Fault, Head, Transfer
from millrace.errors import DataError

Progress = Callable[[str, int, int | None], None]
_MISSING = {403, 404, 410}
_BUSY = {408, 425, 429, 500, 502, 503, 504}


class WrongBytes(Fault):
    """The whole file came, but its content is not what it should be; `error` says why."""

    def __init__(self, error: DataError, *, passing: bool) -> None:
        super().__init__("; ".join(line.strip() for line in str(error).splitlines()), passing=passing)
        self.error = error


def download(
    url: str, file: FileSpec, target: Path, patience: Patience, deadline: float, progress: Progress | None
) -> None:
    """Bring the file to `target`, or raise a Fault once further attempts make no sense.

    Faults that may pass are tried again `patience.attempts` times; an attempt that brought a fair
    amount of new bytes does not count, so a connection that breaks often still gets there.
    """
    partial = Partial(target)
    attempt, pause, most = 0, patience.pause, 0
    while True:
        before = partial.resumable(url, same_everywhere=file.sent_digest is not None)
        try:
            _attempt(url, file, partial, before, patience, deadline, progress)
            return
        except Fault as fault:
            # More than ever before: a server that starts from zero every time gets no new attempts for it.
            now = partial.resumable(url, same_everywhere=False)
            if now - max(most, before) > patience.floor * patience.window:
                attempt, pause = 0, patience.pause
            most = max(most, before, now)
            attempt += 1
            if not fault.passing:
                raise
            if attempt >= patience.attempts:
                fault.reason += f" ({attempt} attempts)"
                raise
            wait, last = max(pause, fault.after), fault.reason
        except OSError:
            # A full disk: what was written is of no use to anybody else who needs room.
            partial.discard()
            raise
        if time.monotonic() + wait >= deadline:
            raise Fault(f"the deadline for this file is over; last: {last}")
        time.sleep(wait)
        pause = min(2 * pause, patience.longest_pause)


def _attempt(
    url: str,
    file: FileSpec,
    partial: Partial,
    have: int,
    patience: Patience,
    deadline: float,
    progress: Progress | None,
) -> None:
    notes = partial.notes() if have else None
    headers = {"Accept-Encoding": "identity", "User-Agent": "millrace"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if notes is not None and notes.validator and notes.url == url:
            headers["If-Range"] = notes.validator
    with Transfer(url, headers, patience, deadline) as transfer:
        head = transfer.head()
        start, total = _plan(head, have, notes, partial)
        if total is not None and total > file.sent_cap:
            raise Fault(f"it announces {total} bytes, more than the {file.sent_cap} that it may have")
        if start < (total or start + 1):
            _receive(transfer, file, partial, start, Notes(url, _validator(head), total), progress)
    try:
        check_file(file, partial.path)
    except DataError as error:
        partial.discard()
        # After a resume, or without a known length, starting again from zero may help.
        raise WrongBytes(error, passing=start > 0 or total is None) from None
    partial.finish()


def _plan(head: Head, have: int, notes: Notes | None, partial: Partial) -> tuple[int, int | None]:
    """From which byte on the answer goes, and the size of the whole file if it is known."""
    if head.status == 200:
        length = head.headers.get("content-length", "")
        return 0, int(length) if re.fullmatch(r"\d{1,18}", length) else None
    known = None if notes is None else notes.total
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
    transfer: Transfer, file: FileSpec, partial: Partial, start: int, notes: Notes, progress: Progress | None
) -> None:
    handle = partial.begin(start, notes)
    done = start
    try:
        if progress is not None:
            progress(file.name, done, notes.total)
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
                progress(file.name, done, notes.total)
        os.fsync(handle)
    finally:
        os.close(handle)
    if notes.total is not None and done != notes.total:
        raise Fault(f"the connection broke after {done} of {notes.total} bytes", passing=True)


def _write(handle: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


def _validator(head: Head) -> str | None:
    etag = head.headers.get("etag", "")
    return etag if etag.startswith('"') else head.headers.get("last-modified")
