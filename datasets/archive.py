"""Members of a dataset's archive, by exact name and exact size; nothing is ever extracted.

Members that were not asked for are passed over; those asked for must be regular files of the right size that
occur once.
"""

from collections.abc import Iterator

from millrace.datasets.content import Content, check, hasher
from millrace.datasets.spec import FileSpec, MemberSpec
from millrace.errors import FormatError, IntegrityError
from millrace.formats import tar

MAX_MEMBERS = 10_000


def members(content: Content, file: FileSpec) -> Iterator[tuple[MemberSpec, bytearray]]:
    """Each wanted member with its bytes, in the archive's order; FormatError unless all are there once.

    The bytes are checked against the member's digest if it has one.
    """
    wanted: dict[str, MemberSpec | None] = {member.name: member for member in file.members}
    for info, read in tar.members(content, MAX_MEMBERS):
        name = _safe_name(info.name, file)
        if name not in wanted:
            continue
        member = wanted[name]
        if member is None:
            raise FormatError(f"{file.name} holds a member twice", got=name)
        wanted[name] = None
        what = f"{file.name}: {name}"
        if info.type not in tar.REGULAR:
            raise FormatError(f"{what} is a link, a folder or a device", expected="a regular file")
        if info.size != member.size:
            stated = f"{info.size} bytes"
            raise IntegrityError(f"{what} has the wrong size", expected=f"{member.size} bytes", got=stated)
        data = read()
        if member.digest is not None:
            total = hasher(member.digest)
            total.update(data)
            check(what, member.digest, total)
        yield member, data
    missing = [name for name, member in wanted.items() if member is not None]
    if missing:
        raise FormatError(f"{file.name} lacks members", expected=", ".join(sorted(missing)))
    content.rest()


def _safe_name(name: str, file: FileSpec) -> str:
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
        raise FormatError(
            f"{file.name} holds a member outside of itself",
            expected="relative names without '..'",
            got=ascii(name),
            do="do not use this archive: it tries to write where it must not",
        )
    return name.removeprefix("./")
