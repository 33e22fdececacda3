"""Members of a tar archive by exact name and exact size, read as a stream; nothing is ever extracted.

`tarfile` would obey what an archive asks for: links, long names, sparse maps, headers of any length
held in memory. Here a header only says how far the next one is. Members that were not asked for are
passed over; those asked for must be regular files of the right size that occur once.
"""

import tarfile
from collections.abc import Iterator

from millrace.datasets.content import Content, check, hasher
from millrace.datasets.spec import FileSpec, MemberSpec
from millrace.errors import FormatError, IntegrityError

BLOCK = 512
MAX_MEMBERS = 10_000
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
# Types whose header may state a size although no data follows.
_EMPTY = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)


def members(content: Content, file: FileSpec) -> Iterator[tuple[MemberSpec, bytearray]]:
    """Each wanted member with its bytes, in the archive's order; FormatError unless all are there once.

    The bytes are checked against the member's digest if it has one.
    """
    wanted: dict[str, MemberSpec | None] = {member.name: member for member in file.members}
    for number in range(MAX_MEMBERS + 1):
        info = _header(content)
        if info is None:
            break
        if number == MAX_MEMBERS:
            raise FormatError(f"{file.name} has too many members", expected=f"at most {MAX_MEMBERS}")
        name = _safe_name(info.name, file)
        if name not in wanted:
            _pass_over(content, info)
            continue
        member = wanted[name]
        if member is None:
            raise FormatError(f"{file.name} holds a member twice", got=name)
        wanted[name] = None
        yield member, _payload(content, info, member)
    missing = [name for name, member in wanted.items() if member is not None]
    if missing:
        raise FormatError(f"{file.name} lacks members", expected=", ".join(sorted(missing)))
    content.rest()


def _header(content: Content) -> tarfile.TarInfo | None:
    block = bytes(content.read(BLOCK))
    if block == bytes(BLOCK):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise FormatError(f"{content.what} is not a tar archive", got=f"a damaged header: {error}") from None


def _safe_name(name: str, file: FileSpec) -> str:
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
        raise FormatError(
            f"{file.name} holds a member outside of itself",
            expected="relative names without '..'",
            got=ascii(name),
            do="do not use this archive: it tries to write where it must not",
        )
    return name.removeprefix("./")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _pass_over(content: Content, info: tarfile.TarInfo) -> None:
    if info.size < 0:
        raise FormatError(f"{content.what} has a damaged header", got=f"size {info.size}")
    if info.type not in _EMPTY:
        content.skip(_padded(info.size))


def _payload(content: Content, info: tarfile.TarInfo, member: MemberSpec) -> bytearray:
    if info.type not in _REGULAR:
        raise FormatError(f"{content.what}: {member.name} is a link, a folder or a device", expected="a regular file")
    if info.size != member.size:
        raise IntegrityError(
            f"{content.what}: {member.name} has the wrong size",
            expected=f"{member.size} bytes",
            got=f"{info.size} bytes",
        )
    data = content.read(member.size)
    content.skip(_padded(member.size) - member.size)
    if member.digest is not None:
        total = hasher(member.digest)
        total.update(data)
        check(f"{content.what}: {member.name}", member.digest, total)
    return data
