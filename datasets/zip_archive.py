"""Members of a dataset's zip, by exact name, each as a stream; nothing is ever extracted.

A zip is read from its end, so it must be a file on disk. Members that were not asked for are passed over. One whose
name ends in .gz, as EMNIST's do, is unpacked on the way; its size is stated after that.
"""

import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from millrace.datasets.content import Content
from millrace.datasets.spec import FileSpec, MemberSpec
from millrace.errors import FormatError, IntegrityError
from millrace.formats.npz import DAMAGE, is_fault_of_the_disk

MAX_MEMBERS = 10_000
_ENCRYPTED = 1  # bit of a member's flags


def members(path: Path, file: FileSpec) -> Iterator[tuple[MemberSpec, Content]]:
    """Each wanted member with its content, in the order of the specification; it is checked when it was used.

    Errors: FormatError unless all members are there once, stored or deflated; IntegrityError for damage, another size
    or digest.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) > MAX_MEMBERS:
                raise FormatError(
                    f"{file.name} has too many members", expected=f"at most {MAX_MEMBERS}", got=len(names)
                )
            for member in file.members:
                if names.count(member.name) != 1:
                    got = f"{names.count(member.name)} times"
                    raise FormatError(f"{file.name} must hold a member once", expected=member.name, got=got)
                with archive.open(_plain(archive.getinfo(member.name), file)) as stream:
                    content = _content(member, stream)
                    yield member, content
                    content.finish()
    except (OSError, *DAMAGE) as error:
        if is_fault_of_the_disk(error):
            raise
        raise IntegrityError(f"{file.name} is not a readable zip file", got=f"{error}"[:200]) from None


class _Stream:
    """A member as a file that is read from its beginning; damage is an IntegrityError to whoever reads."""

    mode = "rb"  # GzipFile asks

    def __init__(self, what: str, stream: IO[bytes]) -> None:
        self._what, self._stream = what, stream

    def read(self, count: int = -1) -> bytes:
        try:
            return self._stream.read(count)
        except DAMAGE as error:
            raise IntegrityError(f"{self._what} is damaged in its zip file", got=f"{error}"[:200]) from None


def _plain(info: zipfile.ZipInfo, file: FileSpec) -> zipfile.ZipInfo:
    if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(f"{file.name}: {info.filename} is encrypted, or compressed in a way that is not read")
    return info


def _content(member: MemberSpec, opened: IO[bytes]) -> Content:
    name = member.name.rpartition("/")[2]
    stream: Any = _Stream(name, opened)
    known = FileSpec(name, member.part, member.size, member.digest)
    if name.lower().endswith(".gz"):
        stream = gzip.GzipFile(fileobj=stream)
    return Content(known, stream, member.size)
