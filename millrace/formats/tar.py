"""Tar archives, read member by member and never extracted; and written with nothing but the content in them.

`tarfile` would obey what an archive asks for: links, long names, sparse maps, headers of any length held in memory.
Here a header only says how far the next one is, and whoever reads decides which members are taken.
Source: POSIX.1-1988, ustar; GNU tar's manual, "Basic Tar Format".
"""

import tarfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from millrace.errors import FormatError

BLOCK = 512
RECORD = 20 * BLOCK  # tar files are padded to whole records
REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
# Types whose header may state a size although no data follows.
_EMPTY = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)
_NOTHING = bytes(BLOCK)
_HEAD = b"0000644\0" + b"0000000\0" * 2  # mode, owner and group
_TAIL = b"0" + bytes(100) + b"ustar\00000"  # a plain file, no link, the format's magic and version


class Header(NamedTuple):
    """One member: its name, its type as in `tarfile`, the bytes that it holds."""

    name: str
    type: bytes
    size: int


class Readable(Protocol):
    """Bytes in order. Both methods raise a FormatError where fewer are left."""

    what: str

    def read(self, count: int) -> Any:
        """The next `count` bytes, as a buffer."""

    def skip(self, count: int) -> None:
        """Pass over the next `count` bytes."""


class Buffer:
    """A source of bytes that are in memory: what is read is a view of them."""

    def __init__(self, data: Any, what: str) -> None:
        self.what, self._left = what, memoryview(data).cast("B")

    def read(self, count: int) -> memoryview:
        found, self._left = self._left[:count], self._left[count:]
        if len(found) < count:
            raise FormatError(f"{self.what} ends too early", expected=f"{count} bytes more", got=f"{len(found)} bytes")
        return found

    def skip(self, count: int) -> None:
        self.read(count)


def members(source: Readable, most: int) -> Iterator[tuple[Header, Callable[[], Any]]]:
    """Each member's header, and a function that reads its bytes, to be called before the next one is asked for.

    What is not read is passed over. most: members that there may be. FormatError for a damaged header, and for an
    archive without its end."""
    for _ in range(most):
        info = _header(source)
        if info is None:
            return
        if info.size < 0:
            raise FormatError(f"{source.what} has a damaged header", got=f"size {info.size}")
        left = [0 if info.type in _EMPTY else info.size]

        def content(size: int = info.size, left: list[int] = left) -> Any:
            data, left[0] = source.read(size), 0
            source.skip(_padding(size))
            return data

        yield info, content
        if left[0]:
            source.skip(left[0] + _padding(left[0]))
    if _header(source) is not None:
        raise FormatError(f"{source.what} has too many members", expected=f"at most {most}")


def member(name: str, data: bytes) -> tuple[bytes, bytes, bytes]:
    """Header, content and padding of one file: owner 0, time 0, so that nothing but the content decides the bytes."""
    front = name.encode().ljust(100, b"\0") + _HEAD + b"%011o\0" % len(data) + b"00000000000\0"
    # The sum is taken with blanks in its own place.
    total = sum(front) + 8 * 32 + sum(_TAIL)
    header = (front + b"%06o\0 " % total + _TAIL).ljust(BLOCK, b"\0")
    return header, data, bytes(_padding(len(data)))


def end(size: int) -> bytes:
    """What follows the members, of so many bytes together."""
    return bytes(-(size + 2 * BLOCK) % RECORD + 2 * BLOCK)


def _header(source: Readable) -> Header | None:
    block = bytes(source.read(BLOCK))
    if block == _NOTHING:
        return None
    try:
        # The sum is taken with blanks in its own place.
        good = int(block[148:156].strip(b"\0 "), 8) == sum(block) - sum(block[148:156]) + 8 * 32
        size = _number(block[124:136])
    except ValueError:
        good, size = False, 0
    if not good:
        raise FormatError(f"{source.what} is not a tar archive", got=f"a damaged header: {block[:32]!r}")
    name, kind = _text(block[:100]), block[156:157]
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = f"{prefix}/{name}"
    if kind == tarfile.AREGTYPE and name.endswith("/"):
        kind = tarfile.DIRTYPE
    return Header(name.rstrip("/") if kind == tarfile.DIRTYPE else name, kind, size)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes) -> int:
    """Octal digits, or what they cannot hold as GNU writes it: the first bit set, then big-endian bytes."""
    if field[0] in (0o200, 0o377):
        return int.from_bytes(field[1:], "big", signed=field[0] == 0o377)
    return int(field.strip(b"\0 ") or b"0", 8)


def _padding(size: int) -> int:
    return -size % BLOCK
