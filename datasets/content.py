"""The content of a file as a stream that is read once: decompressed, capped, counted, digested.

Nothing here trusts a size or a header: memory grows with bytes that really came, never with bytes
that a header promises, and decompression stops at the cap.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from millrace.datasets.spec import FileSpec
from millrace.errors import FormatError, IntegrityError

CHUNK = 1 << 20
GZIP_MAGIC = b"\x1f\x8b\x08"  # and the method, deflate, the only one there is (RFC 1952)
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--")


def looks_like_html(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a web page: an error or log-in page, not data."""
    return start[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML_STARTS)


def is_gzip(start: bytes) -> bool:
    """Whether the first bytes of a file are those of gzip: magic, method, and no flag that is reserved."""
    return start.startswith(GZIP_MAGIC) and len(start) > 3 and start[3] < 0x20


def hasher(digest: str) -> Any:
    """A new hash object for a digest such as `sha256:…` or `md5:…`."""
    return hashlib.new(digest.partition(":")[0], usedforsecurity=False)


def check(what: str, digest: str, total: Any) -> None:
    """Raise an IntegrityError unless the finished hash object agrees with the digest."""
    got = f"{digest.partition(':')[0]}:{total.hexdigest()}"
    if got != digest:
        raise IntegrityError(f"{what} is not what it should be", expected=digest, got=got)


class _Sent:
    """A file as it was sent, read from the beginning; its bytes are digested on the way."""

    mode = "rb"  # GzipFile asks

    def __init__(self, raw: IO[bytes], digest: str) -> None:
        self._raw, self.total = raw, hasher(digest)

    def read(self, count: int = CHUNK) -> bytes:
        data = self._raw.read(count)
        self.total.update(data)
        return data


class Content:
    """A forward-only stream of a file's content. `finish` checks that all of it was read and is right."""

    def __init__(self, file: FileSpec, raw: IO[bytes], cap: int) -> None:
        self.what, self.count = file.name, 0
        self._raw, self._cap, self._file = raw, cap, file
        self._hash = None if file.digest is None else hasher(file.digest)

    def some(self, limit: int = CHUNK) -> bytes:
        """Up to `limit` more bytes; empty only at the end. IntegrityError for damage or beyond the cap."""
        room = self._cap + 1 - self.count
        try:
            data = self._raw.read(min(limit, CHUNK, room))
        except EOFError:
            raise IntegrityError(f"{self.what} is cut short", got=f"{self.count} whole bytes") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise IntegrityError(f"{self.what} is damaged gzip", got=str(error)) from None
        self.count += len(data)
        if self.count > self._cap:
            raise IntegrityError(
                f"{self.what} is larger than it may be",
                expected=f"at most {self._cap} bytes of content",
                got="more",
            )
        if self._hash is not None:
            self._hash.update(data)
        return data

    def read(self, count: int) -> bytearray:
        """Exactly `count` bytes, or a FormatError. Memory follows the bytes that come, not `count`."""
        out = bytearray()
        while len(out) < count:
            data = self.some(count - len(out))
            if not data:
                raise FormatError(
                    f"{self.what} ends too early", expected=f"{count} bytes more", got=f"{len(out)} bytes"
                )
            out += data
        return out

    def skip(self, count: int) -> None:
        """Pass over exactly `count` bytes, or a FormatError."""
        while count > 0:
            data = self.some(count)
            if not data:
                raise FormatError(f"{self.what} ends too early", expected=f"{count} bytes more")
            count -= len(data)

    def read_all(self) -> bytearray:
        """Everything that is left, up to the cap."""
        out = bytearray()
        while data := self.some():
            out += data
        return out

    def rest(self) -> int:
        """Read to the end; how many bytes that were."""
        before = self.count
        while self.some():
            pass
        return self.count - before

    def finish(self) -> None:
        """Read what is left, then check size and digest of the whole content; IntegrityError if they are wrong."""
        self.rest()
        size, digest = self._file.size, self._file.digest
        if size is not None and self.count != size:
            raise IntegrityError(f"{self.what} has the wrong size", expected=f"{size} bytes", got=f"{self.count} bytes")
        if digest is not None:
            check(self.what, digest, self._hash)

    def end(self) -> None:
        """Raise a FormatError if anything follows what has been read."""
        if extra := self.rest():
            raise FormatError(f"{self.what} has trailing bytes", expected="none", got=f"{extra} bytes")


@contextmanager
def open_content(path: Path, file: FileSpec) -> Iterator[Content]:
    """The content of a file on disk as a stream; gunzipped where its first bytes are those of gzip, whatever its name.

    Where the digest of the file as sent is known, it is checked at the end of the block, over the bytes that were read.
    """
    with open(path, "rb") as raw:
        start, sent_bytes = raw.peek(512)[:512], os.fstat(raw.fileno()).st_size
        if looks_like_html(start):
            raise FormatError(
                f"{file.name} is an HTML page",
                expected="gzip" if file.gzipped else "data",
                got=repr(start[:40]),
                do="look at the address in a browser: it may ask to log in, or say why it refuses",
            )
        # Raw pixels could begin like gzip by chance; a file of exactly the stated size is the content itself.
        gzipped = is_gzip(start) and (file.gzipped or sent_bytes != file.size)
        sent = None if file.sent_digest is None else _Sent(raw, file.sent_digest)
        source: Any = sent or raw
        cap = file.content_cap(sent_bytes if gzipped else None)
        stream: Any = gzip.GzipFile(fileobj=source) if gzipped else source
        yield Content(file, stream, cap)
        if sent is not None and file.sent_digest is not None:
            check(f"{file.name} (as sent)", file.sent_digest, sent.total)
